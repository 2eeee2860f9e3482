// SPDX-License-Identifier: Apache-2.0
#include "agent/active_rules.h"

#include <netinet/in.h>

#include <algorithm>

#include "agent/pattern_matcher/rule_check.h"
#include "common/status_macros.h"

namespace stem {
namespace {

bool Decides(const Rule& rule, const RuleSubject& subject) {
  return rule.action != STEM_RULE_OBSERVE && Matches(rule, subject);
}

}  // namespace

absl::StatusOr<PreparedRules> PrepareRules(const StaticRulesConfig& config) {
  PreparedRules out;
  ASSIGN_OR_RETURN(out.compiled, CompileRules(config.rules, config.limits));
  out.rules = config.rules;
  for (const RuleFinding& finding : CheckRules(out.rules)) {
    out.warnings.push_back(Describe(finding, out.rules));
  }
  return out;
}

void ActiveRules::Replace(std::vector<Rule> rules, const RuleSlots& slots) {
  rules_ = std::move(rules);
  inspects_ = std::any_of(rules_.begin(), rules_.end(),
                          [](const Rule& rule) { return rule.action == STEM_RULE_INSPECT; });
  slots_ = slots;
  names_.clear();
  for (const auto& [name, slot] : slots) names_[slot] = name;
}

int64_t ActiveRules::SlotOf(const Rule& rule) const {
  const auto found = slots_.find(rule.name);
  return found == slots_.end() ? -1 : static_cast<int64_t>(found->second);
}

std::string ActiveRules::NameOf(uint32_t event_rule) const {
  const auto found = event_rule == 0 ? names_.end() : names_.find(event_rule - 1);
  return found == names_.end() ? "" : found->second;
}

std::string ActiveRules::Denies(const PinholeKey& key, const PinholeGrant& grant) const {
  Rule flow;
  flow.from = key.from;
  flow.protocol = IPPROTO_UDP;
  flow.destination = Prefix{key.destination.address, 128};
  flow.destination_ports = {key.destination.port, key.destination.port};
  if (grant.match == STEM_PEER_ENDPOINT) flow.source_ports = {grant.peer.port, grant.peer.port};
  if (grant.match != STEM_PEER_ANY) flow.source = Prefix{grant.peer.address, 128};
  const Rule* denied = DeniesAll(rules_, flow);
  return denied == nullptr ? "" : denied->name;
}

bool ActiveRules::Inspects(const Datagram& datagram) const {
  if (!inspects_) return false;
  RuleSubject subject;
  subject.from = datagram.from;
  subject.version = datagram.source.address.is_v4() ? 4 : 6;
  subject.source = datagram.source.address;
  subject.destination = datagram.destination.address;
  subject.protocol = IPPROTO_UDP;
  subject.source_port = datagram.source.port;
  subject.destination_port = datagram.destination.port;
  const auto first = std::find_if(rules_.begin(), rules_.end(),
                                  [&](const Rule& rule) { return Decides(rule, subject); });
  return first != rules_.end() && first->action == STEM_RULE_INSPECT;
}

}  // namespace stem
