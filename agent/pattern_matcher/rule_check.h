// SPDX-License-Identifier: Apache-2.0
// Finds rules that can never decide anything.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "agent/pattern_matcher/rule.h"

namespace stem {

// A rule all of whose packets an earlier rule takes.
struct RuleFinding {
  enum class Kind {
    kShadowed,   // the earlier one does something else
    kRedundant,  // the earlier one does the same
  };
  Kind kind = Kind::kShadowed;
  size_t rule = 0;
  size_t earlier = 0;
};

// In the order of the rules, at most one each, with the first rule that covers it. What several
// rules cover only together is not found. Some 0.2 s for 10,000 rules.
std::vector<RuleFinding> CheckRules(std::span<const Rule> rules);

// "agent.yaml:9:5: rule b (allow) never decides: rule a (deny, agent.yaml:7:5) takes all its
// packets"
std::string Describe(const RuleFinding& finding, std::span<const Rule> rules);

}  // namespace stem
