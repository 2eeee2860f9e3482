// SPDX-License-Identifier: Apache-2.0
// Rule sets in the kernel: their tables in a pipeline that is being loaded, and the counters of
// each rule, which follow its name through every change of the set.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/dataplane/compiled_rules.h"

struct stem_pipeline;

namespace stem {

// Before the pipeline is loaded: sizes of the tables, and what is fixed at load.
absl::Status SizeRuleTables(const CompiledRules& rules, stem_pipeline& pipeline);

// After it is loaded, before it is in slot 0: fills the tables. Rules get the slots of their names,
// new names get free ones with counters at zero; names that are gone keep theirs until the room
// is needed.
absl::Status FillRuleTables(const CompiledRules& rules, const stem_pipeline& pipeline);

// Slot of each name that has one.
using RuleSlots = std::unordered_map<std::string, uint32_t>;
absl::StatusOr<RuleSlots> ReadRuleSlots(int slots_fd);

// Of one rule, summed over the CPUs. Bytes are IP bytes.
absl::StatusOr<stem_count> ReadRuleCounter(int counters_fd, uint32_t slot);

}  // namespace stem
