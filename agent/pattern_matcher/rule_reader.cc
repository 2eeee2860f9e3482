// SPDX-License-Identifier: Apache-2.0
#include "agent/pattern_matcher/rule_reader.h"

#include <netinet/in.h>

#include "agent/pattern_matcher/rule_kinds.h"

namespace stem {
namespace {

constexpr size_t kLongestName = STEM_RULE_NAME_MAX - 1;

void ReadPrefix(const ConfigSection& item, std::string_view key, std::optional<Prefix>& target) {
  const ConfigValue value = item.At(key);
  if (value.absent()) return;
  Prefix prefix;
  PrefixText().Read(value, prefix);
  target = prefix;
}

// What each field needs of the others.
void CheckProtocol(const ConfigSection& item, const Rule& rule) {
  const uint8_t protocol = rule.protocol.value_or(0);
  const bool tcp = protocol == IPPROTO_TCP, udp = protocol == IPPROTO_UDP;
  const bool icmp = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
  const bool ports = !item.At("source_ports").absent() || !item.At("destination_ports").absent();
  if (ports && !tcp && !udp) {
    item.At("protocol").Error("ports need a protocol that has them", "tcp or udp");
  }
  if (!item.At("tcp_flags").absent() && !tcp) {
    item.At("protocol").Error("tcp_flags need TCP", "tcp");
  }
  if (!item.At("icmp_type").absent() && !icmp) {
    item.At("protocol").Error("icmp_type needs ICMP", "icmp or icmpv6");
  }
  if (rule.action == STEM_RULE_INSPECT &&
      (!udp || (rule.source_ports.any() && rule.destination_ports.any()))) {
    item.At("action").Error("inspect is for SIP over UDP to or from certain ports",
                            "protocol: udp, and source_ports or destination_ports");
  }
}

Rule ReadRule(const ConfigSection& item) {
  Rule rule;
  rule.place = item.AsValue().Place();
  item.Optional("comment", rule.comment, Text{0, 1024});
  item.Required("action", rule.action,
                Choice<stem_rule_action>{{{"allow", STEM_RULE_ALLOW},
                                          {"deny", STEM_RULE_DENY},
                                          {"inspect", STEM_RULE_INSPECT},
                                          {"observe", STEM_RULE_OBSERVE}}});
  item.Optional(
      "from", rule.from,
      Choice<stem_side>{
          {{"outside", STEM_SIDE_OUTSIDE}, {"inside", STEM_SIDE_INSIDE}, {"any", STEM_SIDE_NONE}}});
  item.Optional("protocol", rule.protocol, ProtocolText{});
  uint8_t icmp_type = 0;
  item.Optional("icmp_type", icmp_type, Integer{0, 255});
  if (!item.At("icmp_type").absent()) rule.icmp_type = icmp_type;
  item.Optional("tcp_flags", rule.tcp_flags, TcpFlagsText{});
  ReadPrefix(item, "source", rule.source);
  ReadPrefix(item, "destination", rule.destination);
  if (rule.source && rule.destination &&
      rule.source->address.is_v4() != rule.destination->address.is_v4()) {
    item.At("destination")
        .Error("is of another address family than source: never matches",
               "two prefixes of one family");
  }
  item.Optional("source_ports", rule.source_ports, PortRangeText{});
  item.Optional("destination_ports", rule.destination_ports, PortRangeText{});
  CheckProtocol(item, rule);
  return rule;
}

}  // namespace

void RuleReader::AllowSecurityManager(const Endpoint& address) {
  Rule rule;
  rule.name = kSecurityManagerRule;
  rule.comment = "answers of the security manager";
  rule.action = STEM_RULE_ALLOW;
  rule.from = STEM_SIDE_INSIDE;
  rule.protocol = IPPROTO_TCP;
  rule.source = Prefix{address.address, 128};
  rule.source_ports = {address.port, address.port};
  rules_.insert(rules_.begin(), std::move(rule));
}

void RuleReader::Read(const ConfigSection& root) {
  const size_t used = rules_.size() + 1;  // and the security manager's
  const size_t room = used < most_ ? most_ - used : 0;
  for (const ConfigSection& item : root.List("rules", Count{0, room})) {
    Rule rule = ReadRule(item);
    item.Required("name", rule.name, Name{kLongestName});
    if (!rule.name.empty() && !names_.insert(rule.name).second) {
      item.At("name").Error(fmt::format("'{}' names another rule already", rule.name),
                            "a name of its own");
    }
    rules_.push_back(std::move(rule));
  }
}

}  // namespace stem
