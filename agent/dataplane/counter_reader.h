// SPDX-License-Identifier: Apache-2.0
// The data plane's counters, summed over the CPUs, with their names and meanings.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bpf/stem_abi.h"

namespace stem {

// What is known of a reason before anything is counted.
struct ReasonInfo {
  std::string_view name;
  bool is_drop = false;
  stem_module module = STEM_MODULE_core;
  std::string_view meaning;
};
// "core", "pattern_matcher", ...
std::string_view ModuleName(stem_module module);

// INVALID reasons (from a ring buffer of another version) give name "unknown".
ReasonInfo DescribeReason(stem_reason reason);

struct CounterValue {
  stem_reason reason = STEM_REASON_MAX;
  stem_side side = STEM_SIDE_NONE;
  uint64_t packets = 0;
  uint64_t bytes = 0;  // whole frames
};

// Every reason on every side, zeros included, in the order of STEM_REASONS.
absl::StatusOr<std::vector<CounterValue>> ReadCounters(int counters_fd);

}  // namespace stem
