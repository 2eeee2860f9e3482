// SPDX-License-Identifier: Apache-2.0
// The calls' records in the kernel: map `calls`.
#pragma once

#include "agent/dataplane/call_store.h"

namespace stem {

// `map_fd` must outlive the store.
class KernelCallStore : public CallStore {
 public:
  explicit KernelCallStore(int map_fd) : map_fd_(map_fd) {}

  absl::Status Save(uint64_t id, const stem_call& record) override;
  absl::Status Erase(uint64_t id) override;
  absl::StatusOr<std::vector<std::pair<uint64_t, stem_call>>> LoadAll() const override;

 private:
  int map_fd_;
};

}  // namespace stem
