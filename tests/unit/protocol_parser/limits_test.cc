// SPDX-License-Identifier: Apache-2.0
// Every table has a bound, says how full it is, and does something defined when it is.
#include "tests/unit/protocol_parser/call_fixture.h"

namespace stem::test {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class Limits : public CallMonitorTest {};

TEST_F(Limits, WithAllCallsTakenANewOneIsAnswered503AndTheLiveOnesStay) {
  config.limits.calls = 1;
  Start();
  TestCall call = FromOutside("first@test");
  Establish(call);
  for (const TestCall& late : {FromOutside("late@test"), FromInside("late@test")}) {
    Send(late.FromCaller("INVITE"));
    EXPECT_THAT(sink.answers.back(), StartsWith("SIP/2.0 503 Service Unavailable\r\n"));
    EXPECT_THAT(sink.answers.back(), HasSubstr("Retry-After: 5\r\n"));
    EXPECT_EQ(LastReason(), SipReason::calls_full);
  }
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
  EXPECT_EQ(Table("calls").used, 1u);
  EXPECT_EQ(Table("calls").high_water, 1u);
  EXPECT_EQ(Table("calls").refused, 2u);
  HangUp(call);
  EXPECT_EQ(Table("calls").used, 0u);
  Send(FromOutside("late@test").FromCaller("INVITE"));
  EXPECT_EQ(LastReason(), SipReason::held_for_decision);
}

TEST_F(Limits, HeldMessagesAreBoundedByNumber) {
  config.limits.held_messages = 1;
  Start();
  Send(FromOutside("first@test").FromCaller("INVITE"));
  Send(FromOutside("second@test").FromCaller("INVITE"));
  EXPECT_THAT(sink.answers.back(), StartsWith("SIP/2.0 503 "));
  EXPECT_EQ(LastReason(), SipReason::held_full);
  EXPECT_EQ(Table("held messages").refused, 1u);
  EXPECT_EQ(decisions.questions.size(), 1u);
  decisions.Accept();
  Send(FromOutside("third@test").FromCaller("INVITE"));
  EXPECT_EQ(LastReason(), SipReason::held_for_decision);
}

TEST_F(Limits, HeldMessagesAreBoundedByBytes) {
  const Datagram invite = FromOutside("first@test").FromCaller("INVITE");
  config.limits.held_bytes = invite.payload.size() + 10;
  Start();
  Send(invite);
  Send(FromOutside("second@test").FromCaller("INVITE"));
  EXPECT_EQ(LastReason(), SipReason::held_full);
  EXPECT_EQ(Table("held bytes").used, invite.payload.size());
  EXPECT_EQ(Table("held messages").used, 1u);
}

TEST_F(Limits, AFloodOutsideCallsLeavesTransactionsForCalls) {
  config.limits.transactions = 8;
  Start();
  TestCall call = FromOutside();
  Establish(call);
  int forwarded = 0;
  for (int i = 0; i < 20; ++i) {
    Send(FromOutside(fmt::format("flood-{}@test", i)).FromCaller("OPTIONS", {.to_tag = ""}));
    forwarded += LastReason() == SipReason::out_of_dialog ? 1 : 0;
  }
  EXPECT_EQ(forwarded, 5) << "six, one of which the call has";
  EXPECT_EQ(Counted(SipReason::transactions_full), 15u);
  HangUp(call);
  EXPECT_EQ(TheCall().state, CallState::kEnded);
}

TEST_F(Limits, WithoutAnyTransactionACallsRequestIsAnswered503) {
  config.limits.transactions = 1;
  Start();
  TestCall call = FromOutside();
  Establish(call);
  Send(call.FromCaller("BYE"));
  EXPECT_THAT(sink.answers.back(), StartsWith("SIP/2.0 503 "));
  EXPECT_EQ(LastReason(), SipReason::transactions_full);
  Send(FromOutside("second@test").FromCaller("INVITE"));
  EXPECT_EQ(LastReason(), SipReason::transactions_full);
  EXPECT_EQ(Table("calls").used, 1u) << "no call without a transaction";
  Pass(seconds(33));
  HangUp(call);
  EXPECT_THAT(monitor->Calls(CallMonitor::Include::kLive), IsEmpty());
}

TEST_F(Limits, AnswersAreRememberedAsFarAsThereIsRoom) {
  config.limits.local_answers = 1;
  Start();
  for (const char* id : {"first@test", "second@test"}) {
    Send(FromOutside(id).FromCaller("INVITE"));
    decisions.Give({});
  }
  EXPECT_EQ(sink.answers.size(), 2u) << "both are answered";
  EXPECT_EQ(Table("local answers").used, 1u);
  EXPECT_EQ(Table("local answers").refused, 1u);
}

TEST_F(Limits, ARecordThatCannotBeStoredIsNoCall) {
  store.capacity = 0;
  Send(FromOutside().FromCaller("INVITE", {.body = Sdp(alice).Text()}));
  decisions.Accept();
  EXPECT_EQ(LastReason(), SipReason::call_store_full);
  EXPECT_THAT(sink.answers.back(), StartsWith("SIP/2.0 503 "));
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(Limits, TheLadderKeepsItsFirstAndItsLastSteps) {
  config.limits.ladder_steps = 8;
  Start();
  TestCall call = FromOutside();
  Establish(call);
  for (int i = 0; i < 20; ++i) {
    const Datagram info = call.FromCaller("INFO");
    Send(info);
    Send(call.Reply(info, 200));
    ++call.cseq;
  }
  HangUp(call);
  const CallView view = TheCall();
  ASSERT_EQ(view.ladder.size(), 8u);
  EXPECT_EQ(view.ladder.front().message, "INVITE sip:bob@example.org");
  EXPECT_EQ(view.ladder.back().message, "200 Phrase (BYE)");
  // INVITE held and forwarded, 200, ACK, 20 times INFO and 200, BYE and 200.
  EXPECT_EQ(view.ladder_omitted, 4u + 40u + 2u - 8u);
}

TEST_F(Limits, OnlyTheNewestEndedCallsAreKept) {
  config.limits.ended_calls = 2;
  Start();
  for (int i = 0; i < 5; ++i) {
    now_ns += 1'000'000'000;
    TestCall call = FromOutside(fmt::format("{}@test", i));
    Establish(call);
    HangUp(call);
  }
  const auto calls = monitor->Calls(CallMonitor::Include::kLiveAndEnded);
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].call_id, "3@test");
  EXPECT_EQ(calls[1].call_id, "4@test");
  EXPECT_EQ(Table("ended calls").used, 2u);
}

TEST_F(Limits, FurtherForksThanACallMayHavePassWithoutPinholes) {
  config.limits.dialogs_per_call = 2;
  Start();
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  for (const char* tag : {"one", "two", "three"}) {
    Send(call.Reply(invite, 183, {.body = Sdp(bob).Text(), .to_tag = tag}));
  }
  EXPECT_EQ(Happened().back(), "forward 183 (INVITE)");
  EXPECT_THAT(LastVerdict().why, HasSubstr("too many forks"));
  EXPECT_EQ(Counted(CallEvent::dialogs_refused), 1u);
}

TEST_F(Limits, ACallMayNotHaveMoreInvitesThanForks) {
  config.limits.dialogs_per_call = 2;
  Start();
  const TestCall call = FromOutside();
  for (const char* branch : {"one", "two", "three"}) {
    Send(call.FromCaller("INVITE", {.branch = branch}));
  }
  EXPECT_EQ(decisions.questions.size(), 2u);
  EXPECT_EQ(LastReason(), SipReason::transactions_full);
}

TEST_F(Limits, IdentifiersOfAnyLengthMakeACallThatSurvivesARestart) {
  TestCall call = FromOutside(std::string(5000, 'i') + "@test");
  call.caller_tag = std::string(5000, 'f');
  call.callee_tag = std::string(5000, 't');
  Establish(call);
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
  EXPECT_EQ(monitor->FindCalls(call.id).size(), 1u);
  Start();
  ASSERT_TRUE(monitor->Adopt().ok());
  HangUp(call);
  EXPECT_EQ(TheCall().state, CallState::kEnded);
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(Limits, NothingIsLeftWhenAllIsOver) {
  for (int i = 0; i < 50; ++i) {
    TestCall call = FromOutside(fmt::format("{}@test", i));
    Establish(call);
    HangUp(call);
    Send(FromOutside(fmt::format("refused-{}@test", i)).FromCaller("INVITE"));
    decisions.Give({});
  }
  Pass(seconds(40));
  EXPECT_EQ(Table("calls").used, 0u);
  EXPECT_EQ(Table("held messages").used, 0u);
  EXPECT_EQ(Table("held bytes").used, 0u);
  EXPECT_EQ(Table("transactions").used, 0u);
  EXPECT_EQ(Table("local answers").used, 0u);
  EXPECT_THAT(store.records, IsEmpty());
  EXPECT_THAT(Open(), IsEmpty());
}

}  // namespace
}  // namespace stem::test
