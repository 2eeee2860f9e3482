// SPDX-License-Identifier: Apache-2.0
// The static rules in force, as the agent's other parts ask for them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/config.h"
#include "agent/dataplane/compiled_rules.h"
#include "agent/dataplane/rule_tables.h"
#include "agent/pattern_matcher/rule.h"
#include "agent/protocol_parser/media_rules.h"

namespace stem {

// Rules that may be put into the kernel.
struct PreparedRules {
  std::vector<Rule> rules;
  std::shared_ptr<const CompiledRules> compiled;
  std::vector<std::string> warnings;  // rules that never decide, a line each
};

// Checks and compiles. RESOURCE_EXHAUSTED as CompileRules().
absl::StatusOr<PreparedRules> PrepareRules(const StaticRulesConfig& config);

// Signalling thread only.
class ActiveRules : public MediaRules {
 public:
  // From now on these are in force; `slots` are their places among the counters.
  void Replace(std::vector<Rule> rules, const RuleSlots& slots);

  const std::vector<Rule>& rules() const { return rules_; }
  // Place of the rule among the counters, -1 when it has none.
  int64_t SlotOf(const Rule& rule) const;
  // By stem_event::rule; empty for a rule that is no longer there.
  std::string NameOf(uint32_t event_rule) const;

  std::string Denies(const PinholeKey& key, const PinholeGrant& grant) const override;
  bool Inspects(const Datagram& datagram) const override;

 private:
  std::vector<Rule> rules_;
  bool inspects_ = false;  // any of them
  RuleSlots slots_;
  std::unordered_map<uint32_t, std::string> names_;
};

}  // namespace stem
