// SPDX-License-Identifier: Apache-2.0
// Compiled rules judged by the kernel's own code, in user space.
#pragma once

#include "agent/dataplane/compiled_rules.h"
#include "agent/pattern_matcher/rule.h"
#include "tests/user_space/machine.h"

namespace stem {

class CompiledMatcher {
 public:
  // `rules` must outlive this.
  explicit CompiledMatcher(const CompiledRules& rules);

  // `rule` of the result is 1 + the rule's place in the list.
  user_space_match Match(const RuleSubject& subject);

  uint64_t lookups() const { return machine_.lookups; }
  uint64_t steps() const { return machine_.loop_steps; }
  uint64_t packets(size_t rule);

 private:
  UserSpaceRules rules_;
  Machine machine_;
};

}  // namespace stem
