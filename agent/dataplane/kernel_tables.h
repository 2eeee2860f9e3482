// SPDX-License-Identifier: Apache-2.0
// How full the kernel's tables are, and what they cost.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/dataplane/mapped_array.h"
#include "agent/dataplane/unique_fd.h"
#include "bpf/stem_abi.h"

namespace stem {

struct KernelTableUse {
  const char* name = "";        // as in `limits` of the configuration
  bool forgets_oldest = false;  // when full; the others refuse the newcomer
  uint64_t used = 0;            // when last measured
  uint64_t high_water = 0;      // of all measurements
  uint64_t limit = 0;
  uint64_t memory_kib = 0;  // as the kernel accounts for it, with the arrays that belong to it
};

class KernelTables {
 public:
  // The pinned maps of one instance. Not yet measured.
  static absl::StatusOr<KernelTables> Open(const std::string& pin_directory);

  // Counts the entries of every table, in batches: some milliseconds for 100,000 entries. The high
  // water is what was seen at these times.
  absl::Status Measure();

  const std::vector<KernelTableUse>& uses() const { return uses_; }

 private:
  std::vector<UniqueFd> maps_;  // as in uses_
  std::vector<KernelTableUse> uses_;
  std::unique_ptr<MappedArray<stem_pinhole_bucket>> buckets_;
  uint64_t beside_pinholes_kib_ = 0;
};

}  // namespace stem
