// SPDX-License-Identifier: Apache-2.0
// Instructions of the security manager in the data plane's terms.
#include "agent/external_interface/instruction_set.h"

#include "agent/external_interface/instructions_in_force.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stem/v1/firewall.pb.h"

namespace stem {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class InstructionSetTest : public testing::Test {
 protected:
  v1::Instruction& Next() {
    v1::Instruction* instruction = policy_.add_instructions();
    instruction->set_id(policy_.instructions_size());
    return *instruction;
  }
  v1::Threshold& Threshold(const std::string& name, uint32_t rate = 10, uint32_t burst = 20) {
    v1::Threshold* threshold = Next().mutable_threshold();
    threshold->set_name(name);
    threshold->set_rate(rate);
    threshold->set_burst(burst);
    return *threshold;
  }
  v1::BlockedSource& Block(const std::string& source, const std::string& destination = "") {
    v1::BlockedSource* block = Next().mutable_block();
    block->set_source(source);
    block->set_destination(destination);
    return *block;
  }
  v1::Permit& Permit(const std::string& source, const std::string& destination, uint32_t port) {
    v1::Permit* permit = Next().mutable_permit();
    permit->set_source(source);
    permit->set_destination(destination);
    permit->set_port(port);
    return *permit;
  }
  InstructionSet Read() const {
    return ReadInstructions(policy_.instructions(), *IpAddress::Parse("198.51.100.5"));
  }
  // Why the one instruction is refused; the others must be good.
  std::string WhyNot() {
    const InstructionSet set = Read();
    policy_.clear_instructions();
    EXPECT_EQ(set.refused.size(), 1u);
    return set.refused.empty() ? "" : set.refused.front().why;
  }

  v1::WatchResponse policy_;
};

TEST_F(InstructionSetTest, EveryThresholdFindsItsPlace) {
  uint32_t rate = 100;
  for (const GuardThreshold& threshold : GuardThresholds()) Threshold(threshold.name, ++rate);
  const InstructionSet set = Read();
  EXPECT_TRUE(set.refused.empty());
  const GuardLimits limits = LimitsUnder(set, GuardLimits());
  EXPECT_EQ(limits.syn.source.rate, 101);
  EXPECT_EQ(limits.syn.new_sources.rate, 102);
  EXPECT_EQ(limits.syn.destination.rate, 103);
  EXPECT_EQ(limits.invite.invite.rate, 104);
  EXPECT_EQ(limits.invite.registers.rate, 105);
  EXPECT_EQ(limits.invite.other.rate, 106);
  EXPECT_EQ(limits.invite.response.rate, 107);
  EXPECT_EQ(limits.invite.new_sources.rate, 108);
}

TEST_F(InstructionSetTest, AThresholdReplacesTheWholeLimitAndNothingElse) {
  Threshold("syn_guard.source", 5, 7).set_penalty_ms(3000);
  GuardLimits configured;
  configured.syn.challenge = true;
  configured.invite.answered = 9;
  GuardLimits expected = configured;
  expected.syn.source = {5, 7, seconds(3)};
  EXPECT_EQ(LimitsUnder(Read(), configured), expected);
  EXPECT_EQ(LimitsUnder(InstructionSet(), configured), configured);
}

TEST_F(InstructionSetTest, NoRateIsNoLimit) {
  Threshold("invite_guard.invite", 0, 0);
  const InstructionSet set = Read();
  ASSERT_EQ(set.good.size(), 1u);
  EXPECT_EQ(LimitsUnder(set, GuardLimits()).invite.invite.rate, 0);
}

TEST_F(InstructionSetTest, BlocksAndPermits) {
  Block("203.0.113.9");
  Block("2001:DB8::0:9", "2001:db8::20").set_scope(v1::BLOCK_SCOPE_SIGNALLING);
  Permit("198.51.100.20", "192.0.2.10", 5061);
  policy_.mutable_instructions(2)->set_until_unix_ms(77);
  policy_.mutable_instructions(2)->set_comment("trunk");
  const InstructionSet set = Read();
  ASSERT_EQ(set.good.size(), 3u);
  const auto& all = std::get<BlockOrder>(set.good[0].what);
  EXPECT_EQ(all.key.source, *IpAddress::Parse("203.0.113.9"));
  EXPECT_EQ(all.key.destination, IpAddress());
  EXPECT_EQ(all.scope, static_cast<uint32_t>(STEM_BLOCK_ALL));
  EXPECT_EQ(std::get<BlockOrder>(set.good[1].what).scope,
            static_cast<uint32_t>(STEM_BLOCK_SIGNALLING));
  EXPECT_EQ(set.good[1].text, "block 2001:db8::9 to 2001:db8::20");
  EXPECT_EQ(std::get<PermitOrder>(set.good[2].what).key.destination,
            *Endpoint::Parse("192.0.2.10:5061"));
  EXPECT_EQ(set.good[2].until_unix_ms, 77);
  EXPECT_EQ(set.good[2].comment, "trunk");
}

TEST_F(InstructionSetTest, AWrongOneIsRefusedAloneWithItsIdAndWhatWouldBeRight) {
  Block("203.0.113.9");
  Threshold("syn_guard.sauce\n");
  Permit("198.51.100.20", "192.0.2.10", 5060);
  const InstructionSet set = Read();
  EXPECT_EQ(set.good.size(), 2u);
  ASSERT_EQ(set.refused.size(), 1u);
  EXPECT_EQ(set.refused[0].id, 2);
  EXPECT_EQ(set.refused[0].text, "threshold syn_guard.sauce\\x0A");
  EXPECT_THAT(set.refused[0].why, HasSubstr("one of syn_guard.source, "));
}

TEST_F(InstructionSetTest, WhatIsWrong) {
  Threshold("syn_guard.source", 10'000'001);
  EXPECT_THAT(WhyNot(), HasSubstr("0 (no limit) to 10000000"));
  Threshold("syn_guard.source", 1, 0);
  EXPECT_THAT(WhyNot(), HasSubstr("burst of 0"));
  Threshold("syn_guard.source").set_penalty_ms(86'400'001);
  EXPECT_THAT(WhyNot(), HasSubstr("a day at most"));
  Threshold("syn_guard.destination").set_penalty_ms(1);
  EXPECT_THAT(WhyNot(), HasSubstr("no penalty"));
  Block("203.0.113.0/24");
  EXPECT_THAT(WhyNot(), HasSubstr("source '203.0.113.0/24'"));
  Block("::");
  EXPECT_THAT(WhyNot(), HasSubstr("no host's address"));
  Block("203.0.113.9", "2001:db8::1");
  EXPECT_THAT(WhyNot(), HasSubstr("one family"));
  Block("203.0.113.9").set_scope(static_cast<v1::BlockScope>(9));
  EXPECT_THAT(WhyNot(), HasSubstr("scope 9"));
  Permit("198.51.100.20", "2001:db8::1", 5060);
  EXPECT_THAT(WhyNot(), HasSubstr("one family"));
  Permit("198.51.100.20", "192.0.2.10", 65536);
  EXPECT_THAT(WhyNot(), HasSubstr("65536 is no port"));
  Permit("198.51.100.20", "", 5060);
  EXPECT_THAT(WhyNot(), HasSubstr("destination ''"));
  Next();
  EXPECT_THAT(WhyNot(), HasSubstr("a threshold, a block or a permit"));
}

TEST_F(InstructionSetTest, TheSecurityManagerDoesNotLockItselfOut) {
  Block("198.51.100.5").set_scope(v1::BLOCK_SCOPE_MEDIA);
  Block("198.51.100.5", "198.51.100.1");
  EXPECT_EQ(Read().good.size(), 1u);
  EXPECT_THAT(WhyNot(), HasSubstr("cut this firewall off"));
}

TEST_F(InstructionSetTest, TheSecondAboutTheSameIsRefused) {
  Block("2001:db8::9");
  Block("2001:DB8:0::9").set_scope(v1::BLOCK_SCOPE_MEDIA);
  const InstructionSet set = Read();
  ASSERT_EQ(set.good.size(), 1u);
  EXPECT_EQ(set.good[0].id, 1);
  ASSERT_EQ(set.refused.size(), 1u);
  EXPECT_EQ(set.refused[0].id, 2);
  EXPECT_EQ(set.refused[0].why, "instruction 1 is about the same");
}

}  // namespace
}  // namespace stem
