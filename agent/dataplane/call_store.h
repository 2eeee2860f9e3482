// SPDX-License-Identifier: Apache-2.0
// The calls as they survive the agent: records in a pinned map, adopted by the next agent.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bpf/stem_abi.h"

namespace stem {

class CallStore {
 public:
  virtual ~CallStore() = default;

  // Writes or replaces the record of call `id`. RESOURCE_EXHAUSTED when the table is full.
  virtual absl::Status Save(uint64_t id, const stem_call& record) = 0;
  // Removes it; OK when there is none.
  virtual absl::Status Erase(uint64_t id) = 0;
  virtual absl::StatusOr<std::vector<std::pair<uint64_t, stem_call>>> LoadAll() const = 0;
};

}  // namespace stem
