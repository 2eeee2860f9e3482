// SPDX-License-Identifier: Apache-2.0
// Static rules and the default policy.
#include <linux/bpf.h>
#include <netinet/in.h>

#include <algorithm>

#include "agent/pattern_matcher/rule_compiler.h"
#include "fmt/format.h"
#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

Rule With(stem_rule_action action) {
  Rule rule;
  rule.action = action;
  return rule;
}

Prefix Net(std::string_view text) {
  const absl::StatusOr<Prefix> prefix = Prefix::Parse(text);
  EXPECT_TRUE(prefix.ok()) << prefix.status();
  return prefix.value_or(Prefix{});
}

class RulesTest : public KernelBench {
 protected:
  void LoadRules(std::vector<Rule> rules) {
    for (size_t i = 0; i < rules.size(); ++i) rules[i].name = fmt::format("rule-{}", i + 1);
    const auto compiled = CompileRules(rules, RuleLimits());
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    DataPlaneConfig config = DefaultConfig();
    config.rules = *compiled;
    config.max_rule_slots = std::max<uint32_t>(config.max_rule_slots, rules.size());
    Load(config);
  }
  static Packet Tcp4(uint16_t port, std::string_view from = "192.0.2.10") {
    return Ethernet() / Ipv4(from, "198.51.100.20") / Tcp(1234, port);
  }
};

TEST_F(RulesTest, WithoutRulesTheDefaultPolicyDrops) {
  EXPECT_EQ(Run(Tcp4(22)).reason, "policy_denied");
  EXPECT_EQ(Run(Tcp4(22)).verdict, XDP_DROP);
}

TEST_F(RulesTest, DefaultPolicyPassWhenAskedFor) {
  DataPlaneConfig config = DefaultConfig();
  config.default_pass = true;
  Load(config);
  EXPECT_EQ(Run(Tcp4(22)).reason, "policy_allowed");
  EXPECT_EQ(Run(Tcp4(22)).verdict, XDP_PASS);
}

TEST_F(RulesTest, EveryFieldMustMatch) {
  Rule rule = With(STEM_RULE_ALLOW);
  rule.from = STEM_SIDE_OUTSIDE;
  rule.protocol = IPPROTO_TCP;
  rule.source_ports = {1000, 2000};
  rule.destination_ports = {22, 23};
  rule.source = Net("192.0.2.0/28");
  rule.destination = Net("198.51.100.20");
  LoadRules({rule});
  EXPECT_EQ(Run(Tcp4(22)).reason, "rule_allowed");
  EXPECT_EQ(Run(Tcp4(23)).reason, "rule_allowed") << "upper edge";
  EXPECT_EQ(Run(Tcp4(21)).reason, "policy_denied");
  EXPECT_EQ(Run(Tcp4(24)).reason, "policy_denied");
  EXPECT_EQ(Run(Tcp4(22, "192.0.2.15")).reason, "rule_allowed") << "last of the prefix";
  EXPECT_EQ(Run(Tcp4(22, "192.0.2.16")).reason, "policy_denied");
  EXPECT_EQ(Run(Tcp4(22), STEM_SIDE_INSIDE).reason, "policy_denied") << "another side";
  const auto from_port = [](uint16_t port) {
    return Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Tcp(port, 22);
  };
  EXPECT_EQ(Run(from_port(999)).reason, "policy_denied");
  EXPECT_EQ(Run(from_port(1000)).reason, "rule_allowed");
  EXPECT_EQ(Run(from_port(2000)).reason, "rule_allowed");
  EXPECT_EQ(Run(from_port(2001)).reason, "policy_denied");
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(1234, 22)).reason,
            "no_pinhole")
      << "another protocol";
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.21") / Tcp(1234, 22)).reason,
            "policy_denied");
}

TEST_F(RulesTest, AnIpv4PrefixNeverMatchesIpv6) {
  Rule rule = With(STEM_RULE_ALLOW);
  rule.source = Net("0.0.0.0/0");
  LoadRules({rule});
  EXPECT_EQ(Run(Tcp4(22)).reason, "rule_allowed");
  EXPECT_EQ(Run(Ethernet() / Ipv6("2001:db8:1::10", "2001:db8:2::20") / Tcp(1, 22)).reason,
            "policy_denied");
}

TEST_F(RulesTest, FirstMatchWins) {
  Rule deny = With(STEM_RULE_DENY);
  deny.source = Net("192.0.2.66");
  LoadRules({deny, With(STEM_RULE_ALLOW)});
  EXPECT_EQ(Run(Tcp4(22, "192.0.2.66")).reason, "rule_denied");
  EXPECT_EQ(Run(Tcp4(22)).reason, "rule_allowed");
  LoadRules({With(STEM_RULE_ALLOW), deny});
  EXPECT_EQ(Run(Tcp4(22, "192.0.2.66")).reason, "rule_allowed");
}

TEST_F(RulesTest, DenyWinsOverPinholeAndSignalling) {
  Rule deny = With(STEM_RULE_DENY);
  deny.source = Net("192.0.2.10");
  LoadRules({deny});
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  const auto udp = [](uint16_t to) {
    return Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(4000, to) / "x";
  };
  EXPECT_EQ(Run(udp(30000)).reason, "rule_denied");
  EXPECT_EQ(Run(udp(5060)).reason, "rule_denied");
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Icmp()).reason, "rule_denied");
}

TEST_F(RulesTest, AllowDoesNotOpenSignallingPastTheAgent) {
  LoadRules({With(STEM_RULE_ALLOW)});
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(5060, 5060) / "x").reason,
            "agent_down");
}

TEST_F(RulesTest, TheLastOfAFullListStillMatches) {
  std::vector<Rule> rules;
  for (int i = 0; i < STEM_MAX_RULES; ++i) {
    Rule rule = With(STEM_RULE_ALLOW);
    rule.protocol = IPPROTO_TCP;
    rule.destination_ports.first = rule.destination_ports.last = static_cast<uint16_t>(1000 + i);
    rules.push_back(rule);
  }
  LoadRules(rules);
  EXPECT_EQ(Run(Tcp4(1000)).reason, "rule_allowed");
  EXPECT_EQ(Run(Tcp4(1000 + STEM_MAX_RULES - 1)).reason, "rule_allowed");
  EXPECT_EQ(Run(Tcp4(1000 + STEM_MAX_RULES)).reason, "policy_denied");
}

}  // namespace
}  // namespace stem
