// SPDX-License-Identifier: Apache-2.0
// Reads rules from the configuration.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/pattern_matcher/rule.h"
#include "common/config/document.h"

namespace stem {

class RuleReader {
 public:
  // At most `most` rules, the agent's own included.
  explicit RuleReader(size_t most) : most_(most) {}

  // Lets the security manager's answers in, before all other rules: TCP from its address and port,
  // arriving inside. Named "security-manager".
  void AllowSecurityManager(const Endpoint& address);

  // Reads the list `rules` of a file; what is wrong is reported at its place. Several files may be
  // read one after the other; names are unique in all of them.
  void Read(const ConfigSection& root);

  std::vector<Rule> Take() { return std::move(rules_); }

 private:
  size_t most_;
  std::vector<Rule> rules_;
  std::set<std::string> names_ = {kSecurityManagerRule};

  static constexpr char kSecurityManagerRule[] = "security-manager";
};

}  // namespace stem
