// SPDX-License-Identifier: Apache-2.0
// Compiled rules judged by the kernel's own code, in user space.
#pragma once

#include <memory>
#include <vector>

#include "agent/dataplane/compiled_rules.h"
#include "agent/pattern_matcher/rule.h"
#include "tests/rules/matcher_in_user_space.h"

namespace stem {

class CompiledMatcher {
 public:
  explicit CompiledMatcher(const CompiledRules& rules);

  // `rule` of the result is 1 + the rule's place in the list.
  user_space_match Match(const RuleSubject& subject);

  uint64_t lookups() const { return tables_.lookups; }
  uint64_t steps() const { return tables_.steps; }
  uint64_t packets(size_t rule) const { return counters_[rule].packets; }

 private:
  std::vector<stem_rule_node> nodes_;
  std::unique_ptr<stem_rule_entries> entries_ = std::make_unique<stem_rule_entries>();
  std::vector<stem_count> counters_;
  user_space_rules tables_{};
};

}  // namespace stem
