// SPDX-License-Identifier: Apache-2.0
#include "ctl/instruction_view.h"

#include "ctl/status_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stem::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Viewpoint At(int64_t unix_ms) {
  Viewpoint view;
  view.now_unix_ms = unix_ms;
  return view;
}

TEST(InstructionsView, EachKindOnALine) {
  v1::ListInstructionsResponse list;
  EXPECT_EQ(RenderInstructions(list, Viewpoint{}), "no instructions\n");
  v1::Instruction* one = list.add_instructions();
  one->set_id(1);
  one->mutable_threshold()->set_name("syn_guard.source");
  one->mutable_threshold()->set_rate(1000);
  one->mutable_threshold()->set_burst(2000);
  one->mutable_threshold()->set_penalty_ms(10'000);
  one = list.add_instructions();
  one->set_id(2);
  one->set_until_unix_ms(660'000);
  one->mutable_block()->set_source("203.0.113.9");
  one->mutable_block()->set_destination("198.51.100.20");
  one->mutable_block()->set_scope(v1::BLOCK_SCOPE_SYN);
  one = list.add_instructions();
  one->set_id(3);
  one->set_until_unix_ms(1000);
  one->set_comment("trunk");
  one->mutable_permit()->set_source("2001:db8::1");
  one->mutable_permit()->set_destination("2001:db8::2");
  one->mutable_permit()->set_port(5060);
  EXPECT_EQ("\n" + RenderInstructions(list, At(61'000)), R"(
ID  KIND       ABOUT                              HOW                                        STILL FOR  COMMENT
 1  threshold  syn_guard.source                   1,000/s, burst 2,000, penalty 10 s  until taken back
 2  block      203.0.113.9 to 198.51.100.20       syn                                           9m 59s
 3  permit     2001:db8::1 to [2001:db8::2]:5060  tcp                                             over  trunk
)");
}

TEST(ThresholdsView, WhoSetEach) {
  v1::ListThresholdsResponse list;
  v1::ThresholdInForce* one = list.add_thresholds();
  one->set_name("syn_guard.source");
  one->set_mode("on");
  one->mutable_limit()->set_rate(5);
  one->mutable_limit()->set_burst(10);
  one->mutable_configured()->set_rate(0.5);
  one->mutable_configured()->set_burst(40);
  one->set_instruction(7);
  one->set_left_ms(-1);
  one->set_comment("flood");
  one = list.add_thresholds();
  one->set_name("syn_guard.destination");
  one->set_mode("observe");
  const std::string shown = RenderThresholds(list, Viewpoint{});
  EXPECT_THAT(
      shown,
      HasSubstr("on       5/s, burst 10  security manager #7  until taken back  0.5/s, burst "
                "40  flood\n"));
  EXPECT_THAT(shown, HasSubstr("observe  no limit       configuration                       -"));
  EXPECT_THAT(shown, testing::Not(HasSubstr("on its way")));
  one->set_loading(true);
  EXPECT_THAT(RenderThresholds(list, Viewpoint{}), HasSubstr("on its way into the kernel"));
}

TEST(PermitsView, SaysWhenNoneIsNeeded) {
  v1::ListPermitsResponse list;
  EXPECT_THAT(RenderPermits(list, Viewpoint{}), HasSubstr("need no permit here"));
  list.set_required(true);
  EXPECT_EQ(RenderPermits(list, Viewpoint{}), "nothing is permitted\n");
  v1::PermitInForce* one = list.add_permits();
  one->set_source("198.51.100.20");
  one->set_destination("192.0.2.10");
  one->set_port(5060);
  one->set_left_ms(3'600'000);
  one->set_used(2);
  EXPECT_EQ("\n" + RenderPermits(list, Viewpoint{}), R"(
SOURCE         DESTINATION      STILL FOR  USED  SET BY            COMMENT
198.51.100.20  192.0.2.10:5060     1h 00m     2  security manager
)");
}

TEST(StatusView, WhatIsNotFollowedIsAConcern) {
  v1::AgentStatus status;
  status.set_sm_connected(true);
  status.add_interfaces()->set_xdp_mode("native");
  EXPECT_THAT(Concerns(status), ElementsAre());
  v1::NotFollowed* one = status.add_instructions_not_followed();
  one->set_id(7);
  one->set_what("block 203.0.113.9");
  one->set_why("the table is full (limits.blocks)");
  status.set_thresholds_not_loaded("no memory");
  status.set_instructions(3);
  EXPECT_THAT(RenderAgentStatus(status, Viewpoint{}), HasSubstr("instructions      3 followed"));
  EXPECT_THAT(Concerns(status),
              ElementsAre("thresholds are not as instructed, trying again: no memory",
                          "instruction 7 (block 203.0.113.9) is not followed: the table is full "
                          "(limits.blocks)"));
}

TEST(SmStatusView, TellsWhatEachFirewallHasInForce) {
  v1::SmStatus status;
  v1::WatchingFirewall* one = status.add_watching();
  one->set_identity("fw1");
  one->set_instance("edge");
  one->set_acknowledged("12");
  one->set_refused("13");
  one->set_refusal("no memory");
  one->add_not_followed("instruction 7: full");
  const std::string shown = RenderSmStatus(status, Viewpoint{});
  EXPECT_THAT(shown, HasSubstr("fw1       edge      12      13\n"));
  EXPECT_THAT(shown, HasSubstr("  ! fw1 refused policy 13: no memory\n"));
  EXPECT_THAT(shown, HasSubstr("  ! fw1 does not follow instruction 7: full\n"));
}

}  // namespace
}  // namespace stem::ctl
