// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/counter_reader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>

#include "agent/dataplane/errno_status.h"

namespace stem {
namespace {

constexpr std::array<ReasonInfo, STEM_REASON_MAX> kReasons = {{
#define STEM_REASON_INFO(name, is_drop, module, meaning) \
  {#name, (is_drop) != 0, STEM_MODULE_##module, meaning},
    STEM_REASONS(STEM_REASON_INFO)
#undef STEM_REASON_INFO
}};

}  // namespace

std::string_view ModuleName(stem_module module) {
  switch (module) {
    case STEM_MODULE_core:
      return "core";
#define STEM_MODULE_NAME(name, meaning) \
  case STEM_MODULE_##name:              \
    return #name;
      STEM_MODULES(STEM_MODULE_NAME)
#undef STEM_MODULE_NAME
    case STEM_MODULE_MAX:
      break;
  }
  return "unknown";
}

ReasonInfo DescribeReason(stem_reason reason) {
  if (reason < 0 || reason >= STEM_REASON_MAX)
    return {"unknown", true, STEM_MODULE_core, "a reason of another version"};
  return kReasons[reason];
}

absl::StatusOr<std::vector<CounterValue>> ReadCounters(int counters_fd) {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) return ErrnoStatus(cpus, "counting CPUs");
  std::vector<CounterValue> out;
  std::vector<stem_counters> per_cpu(static_cast<size_t>(cpus));
  for (uint32_t side = STEM_SIDE_NONE; side < STEM_SIDE_MAX; ++side) {
    if (bpf_map_lookup_elem(counters_fd, &side, per_cpu.data()) != 0) {
      return ErrnoStatus(errno, "reading map counters");
    }
    for (int reason = 0; reason < STEM_REASON_MAX; ++reason) {
      CounterValue value{static_cast<stem_reason>(reason), static_cast<stem_side>(side), 0, 0};
      for (const stem_counters& counters : per_cpu) {
        const stem_count& one = reinterpret_cast<const stem_count*>(&counters)[reason];
        value.packets += one.packets;
        value.bytes += one.bytes;
      }
      out.push_back(value);
    }
  }
  return out;
}

}  // namespace stem
