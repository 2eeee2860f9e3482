// SPDX-License-Identifier: Apache-2.0
// What is shown of a call: its ladder, its view, the verdicts as they happen.
#include "agent/protocol_parser/call.h"
#include "tests/unit/protocol_parser/call_fixture.h"

namespace stem::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LadderTest : public CallMonitorTest {};

TEST_F(LadderTest, TellsEachMessageItsVerdictAndWhy) {
  const TestCall call = FromOutside();
  Datagram invite = call.FromCaller("INVITE", {.body = Sdp(alice).Text()});
  Send(invite);
  now_ns += 20'000'000;
  decisions.Accept();
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text()}));
  const CallView view = TheCall();
  ASSERT_EQ(view.ladder.size(), 3u);
  EXPECT_EQ(view.ladder[0].ActionText(), "held");
  EXPECT_FALSE(view.ladder[0].asked);
  EXPECT_EQ(view.ladder[1].ActionText(), "forwarded");
  EXPECT_EQ(view.ladder[1].message, "INVITE sip:bob@example.org");
  EXPECT_EQ(view.ladder[1].why, "bob accepts; pinholes: 2 opened");
  EXPECT_TRUE(view.ladder[1].asked);
  EXPECT_EQ(view.ladder[1].delay_ns, 20'000'000u);
  EXPECT_EQ(view.ladder[1].from, STEM_SIDE_OUTSIDE);
  EXPECT_EQ(view.ladder[1].source, alice.signalling);
  EXPECT_EQ(view.ladder[1].destination, bob.signalling);
  EXPECT_EQ(view.ladder[2].message, "200 Phrase (INVITE)");
  EXPECT_EQ(view.ladder[2].why, "answer; pinholes: 2 opened, 2 changed");
  EXPECT_EQ(view.ladder[2].from, STEM_SIDE_INSIDE);
  for (const SipVerdict& step : view.ladder) EXPECT_EQ(step.call, view.id);
}

TEST_F(LadderTest, EveryMessageGivesOneVerdictAndAHeldOneTwo) {
  TestCall call = FromOutside();
  Establish(call);
  Send(call.Wrap("hello", alice, bob, STEM_SIDE_OUTSIDE));
  std::vector<std::string> seen;
  for (const SipVerdict& verdict : observer.verdicts) {
    seen.push_back(fmt::format("{} {}", verdict.ActionText(), Describe(verdict.reason).name));
  }
  EXPECT_THAT(seen, ElementsAre("held held_for_decision", "forwarded call_setup",
                                "forwarded call_setup", "forwarded in_dialog", "dropped not_sip"));
  EXPECT_EQ(LastVerdict().call, 0u);
  EXPECT_EQ(LastVerdict().why, Describe(SipReason::not_sip).meaning);
}

TEST_F(LadderTest, CountersTellSides) {
  TestCall call = FromOutside();
  Establish(call);
  const auto& counts = monitor->counters().messages[static_cast<size_t>(SipReason::call_setup)];
  EXPECT_EQ(counts[STEM_SIDE_OUTSIDE].messages, 1u);
  EXPECT_EQ(counts[STEM_SIDE_INSIDE].messages, 1u);
  EXPECT_GT(counts[STEM_SIDE_INSIDE].bytes, 100u);
}

TEST_F(LadderTest, CallsAreFoundByIdPrefixOrCallId) {
  TestCall call = FromOutside();
  Establish(call);
  const std::string id = fmt::format("{:016x}", TheCall().id);
  EXPECT_EQ(monitor->FindCalls(id).size(), 1u);
  EXPECT_EQ(monitor->FindCalls(id.substr(0, 4)).size(), 1u);
  EXPECT_EQ(monitor->FindCalls("in@test").size(), 1u);
  EXPECT_THAT(monitor->FindCalls("in@tes"), IsEmpty());
  EXPECT_THAT(monitor->FindCalls(""), IsEmpty());
  EXPECT_THAT(monitor->FindCalls(id + "0"), IsEmpty());
}

TEST_F(LadderTest, TheIdOfACallIsStable) {
  EXPECT_EQ(CallIdentity({"a@b", "t", STEM_SIDE_OUTSIDE}),
            CallIdentity({"a@b", "t", STEM_SIDE_OUTSIDE}));
  EXPECT_NE(CallIdentity({"a@b", "t", STEM_SIDE_OUTSIDE}),
            CallIdentity({"a@b", "t", STEM_SIDE_INSIDE}));
  EXPECT_NE(CallIdentity({"a@b", "t", STEM_SIDE_OUTSIDE}),
            CallIdentity({"a@b\nt", "", STEM_SIDE_OUTSIDE}));
}

TEST_F(LadderTest, AnEndedCallIsShownOnlyWhenAskedFor) {
  TestCall call = FromOutside();
  Establish(call);
  HangUp(call);
  EXPECT_THAT(monitor->Calls(CallMonitor::Include::kLive), IsEmpty());
  EXPECT_EQ(monitor->Calls(CallMonitor::Include::kLiveAndEnded).size(), 1u);
  EXPECT_EQ(TheCall().ended_ns, now_ns);
  EXPECT_EQ(CallStateText(TheCall().state), "ended");
}

}  // namespace
}  // namespace stem::test
