// SPDX-License-Identifier: Apache-2.0
// A new agent takes over the calls and pinholes of the one before.
#include <cstring>

#include "tests/unit/protocol_parser/call_fixture.h"

namespace stem::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Restart : public CallMonitorTest {
 protected:
  void RestartAgent() {
    Start();
    ASSERT_TRUE(monitor->Adopt().ok());
    Happened();
  }
};

TEST_F(Restart, AnEstablishedCallGoesOnAndItsByeClosesIt) {
  TestCall call = FromOutside();
  Establish(call);
  const uint64_t id = TheCall().id;
  RestartAgent();
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
  EXPECT_EQ(TheCall().id, id);
  EXPECT_TRUE(TheCall().adopted);
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
  EXPECT_EQ(TheCall().pinholes.size(), 4u);
  EXPECT_EQ(TheCall().caller, "sip:alice@example.com");
  EXPECT_EQ(TheCall().caller_signalling, alice.signalling);
  EXPECT_EQ(Counted(CallEvent::calls_adopted), 1u);
  EXPECT_EQ(Table("calls").used, 1u);
  const Datagram bye = call.FromCallee("BYE");
  Send(bye);
  Send(call.Reply(bye, 200));
  EXPECT_THAT(Open(), IsEmpty());
  EXPECT_EQ(Happened().back(), "forward 200 (BYE)");
  EXPECT_THAT(store.records, IsEmpty());
}

TEST_F(Restart, AnAdoptedCallIsRenegotiated) {
  TestCall call = FromOutside();
  Establish(call);
  RestartAgent();
  const Phone moved{alice.uri, alice.signalling, At("203.0.113.10:4200")};
  const Datagram invite =
      call.FromCaller("INVITE", {.body = Sdp(moved).Text(), .to_tag = "callee"});
  Send(invite);
  EXPECT_THAT(Open(), Contains("203.0.113.10:4000 from inside, 198.51.100.20:30000, rtp"))
      << "the old session until the answer";
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Open(), Contains("203.0.113.10:4200 from inside, 198.51.100.20:30000, rtp"));
  EXPECT_THAT(Open(), Not(Contains(HasSubstr("203.0.113.10:4000 "))));
}

TEST_F(Restart, ARetransmitted200OfAnAdoptedCallChangesNothing) {
  TestCall call = FromInside();
  const Datagram invite = Establish(call);
  RestartAgent();
  Send(call.Reply(invite, 200, {.body = Sdp(alice).Text()}));
  EXPECT_THAT(Happened(), ElementsAre("forward 200 (INVITE)"));
  Send(call.FromCaller("ACK", {.cseq = 1}));
  EXPECT_THAT(Happened(), ElementsAre("forward ACK"));
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
}

TEST_F(Restart, ARingingCallIsAnswered) {
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Send(call.Reply(invite, 180));
  RestartAgent();
  Pass(seconds(60));
  EXPECT_EQ(TheCall().state, CallState::kRinging);
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text()}));
  EXPECT_EQ(Happened().back(), "forward 200 (INVITE)");
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
  Send(call.FromCaller("ACK"));
  EXPECT_EQ(Happened().back(), "forward ACK");
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
}

TEST_F(Restart, ARingingCallIsCancelled) {
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  RestartAgent();
  Send(call.FromCaller("CANCEL"));
  EXPECT_THAT(Happened(), ElementsAre("forward CANCEL"));
  Send(call.Reply(invite, 487));
  EXPECT_EQ(Happened().back(), "forward 487 (INVITE)");
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(Restart, ARingingCallThatNobodyAnswersEnds) {
  Ring(FromOutside());
  RestartAgent();
  Pass(seconds(181));
  EXPECT_EQ(TheCall().outcome, "nobody answered in time");
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(Restart, ATransactionUnderWayIsFinished) {
  TestCall call = FromOutside();
  Establish(call);
  const Datagram bye = call.FromCaller("BYE");
  Send(bye);
  RestartAgent();
  EXPECT_EQ(TheCall().state, CallState::kEnding);
  Send(call.Reply(bye, 200));
  EXPECT_EQ(Happened().back(), "forward 200 (BYE)");
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(Restart, AnEndingCallEndsInTime) {
  TestCall call = FromOutside();
  Establish(call);
  Send(call.FromCaller("BYE"));
  RestartAgent();
  Pass(seconds(5));
  EXPECT_THAT(Open(), IsEmpty());
  EXPECT_EQ(TheCall().outcome, "no final response to BYE");
}

TEST_F(Restart, ResponsesOfStrangersFindNoAdoptedCall) {
  TestCall call = FromOutside();
  const Datagram invite = Establish(call);
  RestartAgent();
  TestCall guessed = call;
  guessed.caller_tag = "guessed";
  Send(call.Reply(guessed.FromCaller("INVITE", {.cseq = 1}), 200));
  EXPECT_EQ(LastReason(), SipReason::response_without_request);
  // Long after the restart nothing is under way any more.
  Pass(seconds(40));
  pinholes.Pass(bob.media, now_ns);
  Send(call.Reply(invite, 200, {.body = Sdp(carol).Text()}));
  EXPECT_EQ(LastReason(), SipReason::response_without_request);
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
}

TEST_F(Restart, AnAdoptedCallWithoutMediaIsIdleInTime) {
  TestCall call = FromOutside();
  Establish(call);
  Pass(seconds(30));
  RestartAgent();
  Pass(seconds(59));
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
  Pass(seconds(2));
  EXPECT_EQ(TheCall().outcome, "idle media");
}

TEST_F(Restart, PinholesOfNoCallAreClosed) {
  TestCall call = FromOutside();
  Establish(call);
  const PinholeKey orphan{At("203.0.113.99:4000"), STEM_SIDE_INSIDE};
  ASSERT_TRUE(pinholes.Open(orphan, {STEM_PEER_ANY, {}, STEM_MEDIA_RTP, 12345}, now_ns).ok());
  RestartAgent();
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
  EXPECT_EQ(Counted(CallEvent::orphan_pinholes_closed), 1u);
}

TEST_F(Restart, ACallWithoutPinholesWaitsForItsBye) {
  TestCall call = FromOutside();
  Establish(call);
  pinholes.open.clear();
  RestartAgent();
  Pass(seconds(600));
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
  HangUp(call);
  EXPECT_EQ(TheCall().state, CallState::kEnded);
}

TEST_F(Restart, RecordsThatSayNothingAreErased) {
  stem_call record{};
  std::strncpy(record.call_id, "held@test", sizeof(record.call_id) - 1);
  record.state = STEM_CALL_DECIDING;
  record.origin = STEM_SIDE_OUTSIDE;
  store.records[7] = record;
  RestartAgent();
  EXPECT_THAT(store.records, IsEmpty());
  EXPECT_THAT(monitor->Calls(CallMonitor::Include::kLiveAndEnded), IsEmpty());
}

TEST_F(Restart, MoreCallsThanTheTableHoldsAreAdoptedAllTheSame) {
  TestCall one = FromOutside("one@test");
  Establish(one);
  TestCall two = FromInside("two@test");
  Send(two.FromCaller("INVITE"));
  config.limits.calls = 1;
  RestartAgent();
  EXPECT_EQ(monitor->Calls(CallMonitor::Include::kLive).size(), 2u);
  Send(FromOutside("three@test").FromCaller("INVITE"));
  EXPECT_EQ(LastReason(), SipReason::calls_full);
}

}  // namespace
}  // namespace stem::test
