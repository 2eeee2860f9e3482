// SPDX-License-Identifier: Apache-2.0
// Turns a list of rules into the tables the kernel searches (docs/decisions/0010).
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "agent/dataplane/compiled_rules.h"
#include "agent/pattern_matcher/rule.h"

namespace stem {

struct RuleLimits {
  size_t rules = STEM_MAX_RULES;            // those the agent adds itself included
  size_t kernel_bytes = size_t{256} << 20;  // of one compiled set; two exist during a swap
};

// RESOURCE_EXHAUSTED, with the figure that would be needed, when a limit is in the way. The rules
// are as ReadRules() leaves them: names unique, ports and flags only with a protocol that has them.
absl::StatusOr<std::shared_ptr<const CompiledRules>> CompileRules(std::span<const Rule> rules,
                                                                  const RuleLimits& limits);

}  // namespace stem
