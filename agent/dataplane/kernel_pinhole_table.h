// SPDX-License-Identifier: Apache-2.0
// The pinholes in the kernel: map `pinholes`, the filter in front of it and the limits behind it.
#pragma once

#include "agent/dataplane/media_limit_table.h"
#include "agent/dataplane/pinhole_filter.h"
#include "agent/dataplane/pinhole_table.h"

namespace stem {

// `map_fd`, `filter` and `limits` must outlive the table. Only the signalling thread may use it: it
// is the one writer.
class KernelPinholeTable : public PinholeTable {
 public:
  KernelPinholeTable(int map_fd, PinholeFilter* filter, MediaLimitTable* limits)
      : map_fd_(map_fd), filter_(filter), limits_(limits) {}

  absl::Status Open(const PinholeKey& key, const PinholeGrant& grant, uint64_t now_ns) override;
  absl::StatusOr<std::optional<PinholeUse>> Close(const PinholeKey& key) override;
  absl::StatusOr<std::optional<Pinhole>> Find(const PinholeKey& key) const override;
  absl::StatusOr<std::vector<Pinhole>> List() const override;

 private:
  int map_fd_;
  PinholeFilter* filter_;
  MediaLimitTable* limits_;
};

}  // namespace stem
