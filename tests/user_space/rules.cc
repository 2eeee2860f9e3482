// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>

#include "tests/user_space/machine.h"

namespace stem {

UserSpaceMap& UserSpaceRules::Make(std::string_view name) {
  for (uint32_t i = 0; i < declared_map_count; ++i) {
    if (name != declared_maps[i].name) continue;
    return *maps_.emplace_back(std::make_shared<UserSpaceMap>(declared_maps[i]));
  }
  std::abort();  // no such map: a name above is wrong
}

// As agent/dataplane/rule_tables.cc does it in the kernel.
UserSpaceRules::UserSpaceRules(const CompiledRules& rules) {
  constants_.rule_count = static_cast<uint32_t>(rules.rules.size());
  constants_.rule_words = rules.words;
  constants_.rule_aggregates = rules.aggregates;
  constants_.rule_observers = rules.observers;
  constants_.rules_observe = rules.observers > 0;
  if (rules.rules.empty()) return;

  UserSpaceMap& chunks = Make("rule_chunks");
  UserSpaceMap& nodes = Make("rule_nodes");
  UserSpaceMap& roots = Make("rule_roots");
  UserSpaceMap& ports = Make("rule_ports");
  uint32_t node = 0, chunk = 0;
  nodes.SetMaxEntries(UINT32_MAX);
  std::copy(rules.used.begin(), rules.used.end(), constants_.rule_dimension_used);
  for (const stem_rule_chunk& one : rules.chunks.all()) chunks.Lend(chunk++, &one);
  chunks.SetMaxEntries(chunk);
  for (uint32_t which = 0; which < rules.addresses.size(); ++which) {
    constants_.rule_node_base[which] = node;
    for (const stem_rule_node& one : rules.addresses[which].nodes) {
      nodes.Update(&node, &one, 0);
      ++node;
    }
    roots.Lend(which, rules.addresses[which].roots.get());
    ports.Lend(which, rules.ports[which].get());
  }
  nodes.SetMaxEntries(std::max(node, 1u));
  Make("rule_services").Lend(0, rules.services.get());
  for (uint32_t i = 0; i < rules.rules.size(); ++i) {
    entries_->of[rules.rules[i].bit] = RuleEntry(i, i, rules.rules[i].action);
  }
  Make("rule_entries").Lend(0, entries_.get());
}

void UserSpaceRules::Fix(pipeline_constants& constants) const {
  constants.rule_count = constants_.rule_count;
  constants.rule_words = constants_.rule_words;
  constants.rule_aggregates = constants_.rule_aggregates;
  constants.rule_observers = constants_.rule_observers;
  constants.rules_observe = constants_.rules_observe;
  std::copy_n(constants_.rule_dimension_used, STEM_RULE_DIMENSIONS, constants.rule_dimension_used);
  std::copy_n(constants_.rule_node_base, 2, constants.rule_node_base);
}

}  // namespace stem
