// SPDX-License-Identifier: Apache-2.0
#include "sm/instruction_record.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stem {
namespace {

using testing::HasSubstr;

constexpr int64_t kNow = 1'000'000;

v1::Instruction Block(const std::string& source, const std::string& destination = "") {
  v1::Instruction instruction;
  instruction.mutable_block()->set_source(source);
  instruction.mutable_block()->set_destination(destination);
  return instruction;
}

v1::Instruction Threshold(const std::string& name, uint32_t rate, uint32_t burst) {
  v1::Instruction instruction;
  instruction.mutable_threshold()->set_name(name);
  instruction.mutable_threshold()->set_rate(rate);
  instruction.mutable_threshold()->set_burst(burst);
  return instruction;
}

std::string Refusal(const v1::Instruction& instruction) {
  const auto record = ToInstructionRecord(instruction, kNow);
  EXPECT_EQ(record.status().code(), absl::StatusCode::kInvalidArgument) << record.status();
  return std::string(record.status().message());
}

TEST(InstructionRecord, OneAddressIsOneKeyHoweverItIsWritten) {
  const auto one = ToInstructionRecord(Block("2001:DB8::0:1"), kNow);
  const auto other = ToInstructionRecord(Block("2001:db8:0:0::1"), kNow);
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_EQ(one->key, other->key);
  EXPECT_EQ(one->instruction.block().source(), "2001:db8::1");
  EXPECT_NE(one->key, ToInstructionRecord(Block("2001:db8::1", "2001:db8::2"), kNow)->key);
}

TEST(InstructionRecord, SaysWhatIsWrongAndWhatWouldBeRight) {
  EXPECT_THAT(Refusal({}), HasSubstr("a threshold, a block or a permit"));
  EXPECT_THAT(Refusal(Block("203.0.113.0/24")), HasSubstr("block.source"));
  EXPECT_THAT(Refusal(Block("203.0.113.9", "there")), HasSubstr("block.destination"));
  EXPECT_THAT(Refusal(Threshold("syn_guard.sauce", 1, 1)), HasSubstr("syn_guard.source"));
  EXPECT_THAT(Refusal(Threshold("syn_guard.source", 1, 0)), HasSubstr("threshold.burst"));
  EXPECT_THAT(Refusal(Threshold("syn_guard.source", 4'000'000'000, 1)), HasSubstr("rate"));
  EXPECT_THAT(Refusal(Block("0.0.0.0")), HasSubstr("block.source"));
  EXPECT_THAT(Refusal(Block("203.0.113.9", "2001:db8::1")), HasSubstr("the source's family"));
  v1::Instruction silenced = Threshold("syn_guard.new_sources", 1, 1);
  silenced.mutable_threshold()->set_penalty_ms(1);
  EXPECT_THAT(Refusal(silenced), HasSubstr("limits no single source"));
  v1::Instruction past = Block("203.0.113.9");
  past.set_until_unix_ms(kNow);
  EXPECT_THAT(Refusal(past), HasSubstr("until_unix_ms"));
  v1::Instruction numbered = Block("203.0.113.9");
  numbered.set_id(7);
  EXPECT_THAT(Refusal(numbered), HasSubstr("id"));
  v1::Instruction permit;
  permit.mutable_permit()->set_source("198.51.100.20");
  EXPECT_THAT(Refusal(permit), HasSubstr("permit.destination"));
  permit.mutable_permit()->set_destination("203.0.113.5");
  EXPECT_THAT(Refusal(permit), HasSubstr("permit.port"));
  permit.mutable_permit()->set_port(5060);
  EXPECT_TRUE(ToInstructionRecord(permit, kNow).ok());
}

TEST(InstructionRecord, NoRateIsNoLimitAndNeedsNoBurst) {
  EXPECT_TRUE(ToInstructionRecord(Threshold("invite_guard.invite", 0, 0), kNow).ok());
}

}  // namespace
}  // namespace stem
