// SPDX-License-Identifier: Apache-2.0
// Rules that never decide, and flows a list denies whole.
#include "agent/pattern_matcher/rule_check.h"

#include <gmock/gmock.h>
#include <netinet/in.h>

#include "tests/rules/rule_generator.h"

namespace stem {
namespace {

Rule Make(const std::string& name, stem_rule_action action, std::string_view source = "") {
  Rule rule;
  rule.name = name;
  rule.action = action;
  if (!source.empty()) rule.source = Prefix::Parse(source).value();
  return rule;
}

TEST(RuleCheck, NamesBothRulesAndTheirPlaces) {
  std::vector<Rule> rules = {Make("net", STEM_RULE_DENY, "192.0.2.0/24"),
                             Make("host", STEM_RULE_ALLOW, "192.0.2.7"),
                             Make("half", STEM_RULE_DENY, "192.0.2.0/25")};
  rules[0].place = "a.yaml:3:5";
  rules[1].place = "a.yaml:4:5";
  const auto findings = CheckRules(rules);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(Describe(findings[0], rules),
            "a.yaml:4:5: rule host (allow) is shadowed: rule net (deny, a.yaml:3:5) takes all its "
            "packets");
  EXPECT_EQ(findings[1].kind, RuleFinding::Kind::kRedundant);
}

TEST(RuleCheck, ObserversAndOtherFamiliesTakeNothingAway) {
  EXPECT_TRUE(CheckRules(std::vector<Rule>{
                             Make("o", STEM_RULE_OBSERVE), Make("a", STEM_RULE_ALLOW, "0.0.0.0/0"),
                             Make("b", STEM_RULE_ALLOW, "::/0"), Make("c", STEM_RULE_DENY)})
                  .empty());
}

TEST(RuleCheck, WhatIsReportedNeverDecides) {
  Chance chance(21);
  size_t reported = 0;
  for (int set = 0; set < 100; ++set) {
    const std::vector<Rule> rules = CrowdedRules(30, chance);
    const auto findings = CheckRules(rules);
    reported += findings.size();
    for (const RuleFinding& finding : findings) {
      for (int i = 0; i < 50; ++i) {
        const RuleSubject subject = SubjectOf(rules[finding.rule], chance);
        ASSERT_NE(FirstMatch(rules, subject), &rules[finding.rule]) << rules[finding.rule].name;
      }
    }
  }
  EXPECT_GT(reported, 100u);
}

TEST(DeniesAll, OnlyWhatIsDeniedForEveryPeer) {
  Rule flow = Make("flow", STEM_RULE_END);
  flow.protocol = IPPROTO_UDP;
  flow.destination = Prefix::Parse("198.51.100.20").value();
  flow.destination_ports = {30000, 30000};
  std::vector<Rule> rules = {Make("peer", STEM_RULE_DENY, "192.0.2.10")};
  EXPECT_EQ(DeniesAll(rules, flow), nullptr) << "other peers may send";
  flow.source = Prefix::Parse("192.0.2.10").value();
  EXPECT_EQ(DeniesAll(rules, flow), &rules[0]);
  rules.insert(rules.begin(), Make("first", STEM_RULE_ALLOW, "192.0.2.0/24"));
  EXPECT_EQ(DeniesAll(rules, flow), nullptr) << "an allow stands before it";
  rules[0].source_ports = {4000, 4000};
  rules[0].protocol = IPPROTO_UDP;
  EXPECT_EQ(DeniesAll(rules, flow), nullptr) << "some port of the peer is allowed";
  flow.source_ports = {4001, 4001};
  EXPECT_EQ(DeniesAll(rules, flow), &rules[1]);
}

}  // namespace
}  // namespace stem
