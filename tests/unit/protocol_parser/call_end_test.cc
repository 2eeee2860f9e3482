// SPDX-License-Identifier: Apache-2.0
// How calls end, and that their pinholes are closed before the message that ends them goes on.
#include "tests/unit/protocol_parser/call_fixture.h"

namespace stem::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

class CallEnd : public CallMonitorTest {};

struct ByeCase {
  int status;
  bool ends;
};
void PrintTo(const ByeCase& c, std::ostream* out) { *out << c.status; }

class ByeResponse : public CallMonitorTest, public testing::WithParamInterface<ByeCase> {};

TEST_P(ByeResponse, EndsTheCallOrNot) {
  TestCall call = FromOutside();
  Establish(call);
  const Datagram bye = call.FromCallee("BYE");
  Send(bye);
  EXPECT_EQ(TheCall().state, CallState::kEnding);
  EXPECT_EQ(store.records.begin()->second.state, STEM_CALL_ENDING);
  EXPECT_THAT(Open(), ElementsAreArray(BothWays())) << "media goes on until BYE is answered";
  Happened();
  Send(call.Reply(bye, GetParam().status));
  const Log happened = Happened();
  ASSERT_FALSE(happened.empty());
  EXPECT_EQ(happened.back(), fmt::format("forward {} (BYE)", GetParam().status));
  if (GetParam().ends) {
    EXPECT_EQ(happened.size(), 5u) << "four pinholes closed first";
    EXPECT_THAT(Open(), IsEmpty());
    EXPECT_EQ(TheCall().state, CallState::kEnded);
    EXPECT_EQ(TheCall().outcome, "BYE from inside");
    EXPECT_THAT(store.records, IsEmpty());
    EXPECT_EQ(Counted(CallEvent::calls_ended_by_bye), 1u);
  } else {
    EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
    EXPECT_EQ(TheCall().state, CallState::kEstablished);
    Pass(seconds(10));
    EXPECT_EQ(TheCall().state, CallState::kEstablished) << "the BYE's deadline is off";
  }
}

INSTANTIATE_TEST_SUITE_P(Statuses, ByeResponse,
                         testing::Values(ByeCase{200, true}, ByeCase{202, true}, ByeCase{408, true},
                                         ByeCase{481, true}, ByeCase{401, false},
                                         ByeCase{407, false}, ByeCase{500, false},
                                         ByeCase{603, false}),
                         [](const testing::TestParamInfo<ByeCase>& info) {
                           return fmt::format("Status{}", info.param.status);
                         });

TEST_F(CallEnd, AProvisionalResponseToByeEndsNothing) {
  TestCall call = FromOutside();
  Establish(call);
  const Datagram bye = call.FromCaller("BYE");
  Send(bye);
  Send(call.Reply(bye, 100));
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
  EXPECT_EQ(TheCall().state, CallState::kEnding);
}

TEST_F(CallEnd, AByeNobodyAnswersEndsTheCallAfterItsTime) {
  TestCall call = FromOutside();
  Establish(call);
  Send(call.FromCaller("BYE"));
  Pass(milliseconds(3900));
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
  Pass(milliseconds(200));
  EXPECT_THAT(Open(), IsEmpty());
  EXPECT_EQ(TheCall().outcome, "no final response to BYE");
  // The answer may still come.
  Happened();
  Send(call.Reply(call.FromCaller("BYE"), 200));
  EXPECT_THAT(Happened(), ElementsAre("forward 200 (BYE)"));
}

TEST_F(CallEnd, ByesThatCrossBothPass) {
  TestCall call = FromOutside();
  Establish(call);
  const Datagram one = call.FromCaller("BYE");
  const Datagram other = call.FromCallee("BYE");
  Send(one);
  Send(other);
  Send(call.Reply(one, 200));
  Happened();
  Send(call.Reply(other, 481));
  EXPECT_THAT(Happened(), ElementsAre("forward 481 (BYE)"));
  Send(one);
  EXPECT_THAT(Happened(), ElementsAre("forward BYE")) << "a retransmission after the end";
}

TEST_F(CallEnd, AFailureClosesBeforeItIsForwarded) {
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Send(call.Reply(invite, 183, {.body = Sdp(bob).Text()}));
  Happened();
  Send(call.Reply(invite, 486));
  const Log happened = Happened();
  EXPECT_EQ(happened.size(), 5u);
  EXPECT_EQ(happened.back(), "forward 486 (INVITE)");
  EXPECT_EQ(TheCall().outcome, "486 Phrase");
  EXPECT_EQ(Counted(CallEvent::calls_failed), 1u);
  Send(call.Reply(invite, 486));
  EXPECT_THAT(Happened(), ElementsAre("forward 486 (INVITE)")) << "its retransmission";
  Send(call.FromCaller("ACK", {.branch = "INVITE1"}));
  EXPECT_THAT(Happened(), ElementsAre("forward ACK"));
}

TEST_F(CallEnd, RingingTooLongEndsTheCall) {
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Send(call.Reply(invite, 180));
  Pass(seconds(179));
  EXPECT_EQ(TheCall().state, CallState::kRinging);
  Send(call.Reply(invite, 180));  // it still rings (Timer C)
  Pass(seconds(179));
  EXPECT_EQ(TheCall().state, CallState::kRinging);
  Pass(seconds(2));
  EXPECT_EQ(TheCall().outcome, "nobody answered in time");
  EXPECT_THAT(Open(), IsEmpty());
  Happened();
  // An answer that comes too late would have no media, so it does not pass; what stops the
  // ringing does.
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Happened(), IsEmpty());
  EXPECT_EQ(LastReason(), SipReason::response_out_of_state);
  Send(call.FromCaller("CANCEL"));
  Send(call.Reply(invite, 487));
  EXPECT_THAT(Happened(), ElementsAre("forward CANCEL", "forward 487 (INVITE)"));
}

TEST_F(CallEnd, AnAnsweredCallDoesNotWaitForItsOtherForks) {
  TestCall call = FromOutside();
  const Datagram to_bob = call.FromCaller("INVITE", {.branch = "b", .body = Sdp(alice).Text()});
  const Datagram to_carol = call.FromCaller("INVITE", {.branch = "c", .body = Sdp(alice).Text()});
  Send(to_bob);
  Send(to_carol);
  decisions.Accept();
  decisions.Accept();
  Send(call.Reply(to_bob, 200, {.body = Sdp(bob).Text()}));
  Send(call.Reply(to_carol, 183, {.body = Sdp(carol).Text(), .to_tag = "carol"}));
  EXPECT_GT(Open().size(), 4u);
  Pass(seconds(30));
  pinholes.Pass(bob.media, now_ns);
  for (int i = 0; i < 6; ++i) {
    Pass(seconds(30));
    pinholes.Pass(bob.media, now_ns);
  }
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
  EXPECT_THAT(Open(), ElementsAreArray(BothWays())) << "carol's early media has ended";
  Send(call.Reply(to_carol, 200, {.body = Sdp(carol).Text(), .to_tag = "carol"}));
  EXPECT_EQ(LastReason(), SipReason::response_out_of_state);
  call.cseq = 2;
  HangUp(call);
  EXPECT_EQ(TheCall().state, CallState::kEnded) << "nothing is waited for any more";
}

TEST_F(CallEnd, IdleMediaEndsTheCall) {
  TestCall call = FromOutside();
  Establish(call);
  Pass(seconds(50));
  pinholes.Pass(bob.media, now_ns);  // one direction is enough
  Pass(seconds(59));
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
  Pass(seconds(2));
  EXPECT_EQ(TheCall().state, CallState::kEnded);
  EXPECT_EQ(TheCall().outcome, "idle media");
  EXPECT_EQ(Counted(CallEvent::calls_idle_media), 1u);
  EXPECT_THAT(Open(), IsEmpty());
  // Its ends do not know: their BYE passes, and so does its answer; nothing else does.
  Happened();
  const Datagram bye = call.FromCaller("BYE");
  Send(bye);
  Send(call.Reply(bye, 200));
  EXPECT_THAT(Happened(), ElementsAre("forward BYE", "forward 200 (BYE)"));
  Send(call.FromCallee("INVITE", {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Happened(), ElementsAre("answer 481 (INVITE)"));
}

TEST_F(CallEnd, IdleWatchingCostsLittle) {
  config.media.period = milliseconds(0);  // streams are looked at besides
  Start();
  TestCall call = FromOutside();
  Establish(call);
  const int before = pinholes.lookups;
  for (int i = 0; i < 10; ++i) {
    Pass(seconds(30));
    pinholes.Pass(bob.media, now_ns);
  }
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
  EXPECT_LE(pinholes.lookups - before, 10 * 4) << "one look per idle time";
}

TEST_F(CallEnd, ACallOnHoldIsNotIdle) {
  TestCall call = FromOutside();
  Establish(call);
  const Datagram hold =
      call.FromCaller("INVITE", {.body = Sdp(alice).Line("a=sendonly").Text(), .to_tag = "callee"});
  Send(hold);
  Send(call.Reply(hold, 200, {.body = Sdp(bob).Line("a=recvonly").Text()}));
  Pass(seconds(600));
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
  EXPECT_THAT(Open(), ElementsAreArray(BothWays())) << "RTCP and music go on";
  // Resumed, it may be idle again, counted from now.
  ++call.cseq;
  const Datagram resume =
      call.FromCaller("INVITE", {.body = Sdp(alice).Text(), .to_tag = "callee"});
  Send(resume);
  Send(call.Reply(resume, 200, {.body = Sdp(bob).Text()}));
  Pass(seconds(59));
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
  Pass(seconds(2));
  EXPECT_EQ(TheCall().outcome, "idle media");
}

TEST_F(CallEnd, IdleTimeZeroMeansNever) {
  config.timeouts.idle_media = milliseconds(0);
  Start();
  TestCall call = FromOutside();
  Establish(call);
  Pass(seconds(3600));
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
}

TEST_F(CallEnd, NoCallIsLongerThanTheLongest) {
  config.timeouts.max_duration = seconds(100);
  config.timeouts.idle_media = milliseconds(0);
  Start();
  TestCall call = FromOutside();
  Establish(call);
  Pass(seconds(99));
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
  Pass(seconds(2));
  EXPECT_EQ(TheCall().outcome, "longest duration reached");
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(CallEnd, ARetransmitted200AndItsAckPass) {
  TestCall call = FromOutside();
  const Datagram invite = Establish(call);
  Happened();
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text()}));
  EXPECT_EQ(LastReason(), SipReason::retransmission);
  Send(call.FromCaller("ACK", {.cseq = 1}));
  EXPECT_THAT(Happened(), ElementsAre("forward 200 (INVITE)", "forward ACK"));
  HangUp(call);
  Happened();
  Send(call.FromCaller("ACK", {.cseq = 1}));
  EXPECT_THAT(Happened(), IsEmpty()) << "its dialog is gone";
}

TEST_F(CallEnd, AByeInAnEarlyDialogEndsThatDialog) {
  TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Send(call.Reply(invite, 183, {.body = Sdp(bob).Text()}));
  ++call.cseq;
  const Datagram bye = call.FromCaller("BYE");
  Send(bye);
  Send(call.Reply(bye, 200));
  EXPECT_EQ(TheCall().state, CallState::kRinging) << "the INVITE waits for its 487";
  EXPECT_THAT(Open(), Contains("203.0.113.10:4000 from inside, any, rtp"));
  Send(call.Reply(invite, 487));
  EXPECT_EQ(TheCall().state, CallState::kEnded);
  EXPECT_THAT(Open(), IsEmpty());
}

}  // namespace
}  // namespace stem::test
