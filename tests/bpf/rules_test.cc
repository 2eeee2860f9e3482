// SPDX-License-Identifier: Apache-2.0
// Static rules and the default policy.
#include <linux/bpf.h>
#include <netinet/in.h>

#include <algorithm>

#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

stem_rule Rule(stem_rule_action action) {
  stem_rule rule{};
  rule.action = action;
  rule.source_port_last = 65535;
  rule.destination_port_last = 65535;
  return rule;
}

void SetPrefix(std::string_view text, __u8 (&address)[16], __u8 (&mask)[16]) {
  const absl::StatusOr<Prefix> prefix = Prefix::Parse(text);
  ASSERT_TRUE(prefix.ok()) << prefix.status();
  std::copy(prefix->address.bytes.begin(), prefix->address.bytes.end(), address);
  const std::array<uint8_t, 16> bits = prefix->Mask();
  std::copy(bits.begin(), bits.end(), mask);
}

class RulesTest : public KernelBench {
 protected:
  void LoadRules(std::vector<stem_rule> rules) {
    DataPlaneConfig config = DefaultConfig();
    config.rules = std::move(rules);
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
  stem_rule rule = Rule(STEM_RULE_ALLOW);
  rule.from_side = STEM_SIDE_OUTSIDE;
  rule.protocol = IPPROTO_TCP;
  rule.source_port_first = 1000;
  rule.source_port_last = 2000;
  rule.destination_port_first = 22;
  rule.destination_port_last = 23;
  SetPrefix("192.0.2.0/28", rule.source, rule.source_mask);
  SetPrefix("198.51.100.20", rule.destination, rule.destination_mask);
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
  stem_rule rule = Rule(STEM_RULE_ALLOW);
  SetPrefix("0.0.0.0/0", rule.source, rule.source_mask);
  LoadRules({rule});
  EXPECT_EQ(Run(Tcp4(22)).reason, "rule_allowed");
  EXPECT_EQ(Run(Ethernet() / Ipv6("2001:db8:1::10", "2001:db8:2::20") / Tcp(1, 22)).reason,
            "policy_denied");
}

TEST_F(RulesTest, FirstMatchWins) {
  stem_rule deny = Rule(STEM_RULE_DENY);
  SetPrefix("192.0.2.66", deny.source, deny.source_mask);
  LoadRules({deny, Rule(STEM_RULE_ALLOW)});
  EXPECT_EQ(Run(Tcp4(22, "192.0.2.66")).reason, "rule_denied");
  EXPECT_EQ(Run(Tcp4(22)).reason, "rule_allowed");
  LoadRules({Rule(STEM_RULE_ALLOW), deny});
  EXPECT_EQ(Run(Tcp4(22, "192.0.2.66")).reason, "rule_allowed");
}

TEST_F(RulesTest, DenyWinsOverPinholeAndSignalling) {
  stem_rule deny = Rule(STEM_RULE_DENY);
  SetPrefix("192.0.2.10", deny.source, deny.source_mask);
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
  LoadRules({Rule(STEM_RULE_ALLOW)});
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(5060, 5060) / "x").reason,
            "agent_down");
}

TEST_F(RulesTest, TheLastOfAFullListStillMatches) {
  std::vector<stem_rule> rules;
  for (int i = 0; i < STEM_MAX_RULES; ++i) {
    stem_rule rule = Rule(STEM_RULE_ALLOW);
    rule.protocol = IPPROTO_TCP;
    rule.destination_port_first = rule.destination_port_last = static_cast<uint16_t>(1000 + i);
    rules.push_back(rule);
  }
  LoadRules(rules);
  EXPECT_EQ(Run(Tcp4(1000)).reason, "rule_allowed");
  EXPECT_EQ(Run(Tcp4(1000 + STEM_MAX_RULES - 1)).reason, "rule_allowed");
  EXPECT_EQ(Run(Tcp4(1000 + STEM_MAX_RULES)).reason, "policy_denied");
}

}  // namespace
}  // namespace stem
