// SPDX-License-Identifier: Apache-2.0
// Messages that do not fit what has been seen, and messages that belong to no call.
#include "tests/unit/protocol_parser/call_fixture.h"

namespace stem::test {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::IsSupersetOf;

class OutOfState : public CallMonitorTest {};

class WithoutCall : public CallMonitorTest, public testing::WithParamInterface<const char*> {};

TEST_P(WithoutCall, IsAnswered481FromEitherSide) {
  Send(FromOutside().FromCaller(GetParam(), {.to_tag = "callee"}));
  EXPECT_THAT(Happened(), ElementsAre(fmt::format("answer 481 ({})", GetParam())));
  EXPECT_EQ(LastReason(), SipReason::request_without_call);
  Send(FromInside().FromCaller(GetParam(), {.to_tag = "callee"}));
  EXPECT_THAT(Happened(), ElementsAre(fmt::format("answer 481 ({})", GetParam())));
}

INSTANTIATE_TEST_SUITE_P(Methods, WithoutCall,
                         testing::Values("BYE", "INVITE", "UPDATE", "PRACK", "INFO", "REFER"));

TEST_F(OutOfState, AnAckForNoCallIsDroppedInSilence) {
  Send(FromOutside().FromCaller("ACK"));
  EXPECT_THAT(Happened(), IsEmpty());
  EXPECT_EQ(LastReason(), SipReason::ack_without_call);
}

TEST_F(OutOfState, ACancelForNoInviteIsAnswered481) {
  Send(FromOutside().FromCaller("CANCEL"));
  EXPECT_THAT(Happened(), ElementsAre("answer 481 (CANCEL)"));
  EXPECT_EQ(LastReason(), SipReason::cancel_without_invite);
}

TEST_F(OutOfState, AResponseNobodyAskedForIsDropped) {
  const TestCall call = FromOutside();
  Send(call.Reply(call.FromCaller("INVITE"), 200, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Happened(), IsEmpty());
  EXPECT_EQ(LastReason(), SipReason::response_without_request);
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(OutOfState, AResponseFromTheRequestersSideIsDropped) {
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Datagram reply = call.Reply(invite, 200, {.body = Sdp(bob).Text()});
  reply.from = STEM_SIDE_OUTSIDE;
  Send(reply);
  EXPECT_EQ(LastReason(), SipReason::response_without_request);
}

TEST_F(OutOfState, AResponseToAHeldInviteIsDropped) {
  const TestCall call = FromOutside();
  const Datagram invite = call.FromCaller("INVITE", {.body = Sdp(alice).Text()});
  Send(invite);
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text()}));
  EXPECT_EQ(LastReason(), SipReason::response_without_request);
  EXPECT_THAT(Happened(), IsEmpty());
}

TEST_F(OutOfState, ProvisionalAndContraryResponsesAfterTheFinalOneAreDropped) {
  TestCall call = FromOutside();
  const Datagram invite = Establish(call);
  Happened();
  Send(call.Reply(invite, 180));
  EXPECT_EQ(LastReason(), SipReason::response_out_of_state);
  Send(call.Reply(invite, 486));
  EXPECT_EQ(LastReason(), SipReason::response_out_of_state);
  EXPECT_THAT(Happened(), IsEmpty());
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
}

TEST_F(OutOfState, ASuccessAfterAFailureIsDropped) {
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Send(call.Reply(invite, 486));
  Happened();
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Happened(), IsEmpty());
  EXPECT_EQ(LastReason(), SipReason::response_out_of_state);
}

TEST_F(OutOfState, AByeWithATagOfNoDialogEndsNothing) {
  TestCall call = FromOutside();
  Establish(call);
  Happened();
  Send(call.FromCaller("BYE", {.to_tag = "guessed"}));
  EXPECT_THAT(Happened(), ElementsAre("answer 481 (BYE)"));
  EXPECT_EQ(LastReason(), SipReason::wrong_dialog);
  Send(call.FromCaller("BYE", {.branch = "b", .from_tag = "guessed"}));
  EXPECT_EQ(LastReason(), SipReason::request_without_call);
  // The right tags from the wrong side: the caller is not inside.
  Datagram bye = call.FromCaller("BYE", {.branch = "c"});
  bye.from = STEM_SIDE_INSIDE;
  Send(bye);
  EXPECT_EQ(LastReason(), SipReason::request_without_call);
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
}

TEST_F(OutOfState, AnAckBeforeTheAnswerIsDropped) {
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Send(call.Reply(invite, 180));
  Happened();
  Send(call.FromCaller("ACK"));
  EXPECT_THAT(Happened(), IsEmpty());
  EXPECT_EQ(LastReason(), SipReason::ack_without_call);
}

TEST_F(OutOfState, ACSeqThatGoesBackwardsIsAnswered500) {
  TestCall call = FromOutside();
  Establish(call);
  Send(call.FromCaller("INFO", {.cseq = 5}));
  Send(call.FromCaller("INFO", {.cseq = 6}));
  Happened();
  Send(call.FromCaller("INFO", {.branch = "late", .cseq = 5}));
  EXPECT_THAT(Happened(), ElementsAre("answer 500 (INFO)"));
  EXPECT_EQ(LastReason(), SipReason::cseq_backwards);
  Send(call.FromCaller("INFO", {.cseq = 5}));
  EXPECT_THAT(Happened(), ElementsAre("forward INFO")) << "a retransmission is not backwards";
  // The callee counts for itself.
  Send(call.FromCallee("INFO", {.cseq = 2}));
  EXPECT_THAT(Happened(), ElementsAre("forward INFO"));
}

TEST_F(OutOfState, AnInviteOlderThanTheCallsIsAnswered500) {
  TestCall call = FromOutside();
  call.cseq = 5;
  Ring(call);
  Happened();
  Send(call.FromCaller("INVITE", {.cseq = 4}));
  EXPECT_THAT(Happened(), ElementsAre("answer 500 (INVITE)"));
  EXPECT_EQ(LastReason(), SipReason::cseq_backwards);
  EXPECT_EQ(decisions.questions.size(), 1u);
}

TEST_F(OutOfState, RequestsOutsideCallsPassToSignallingPortsAndTheirResponsesReturn) {
  const TestCall call = FromOutside();
  for (const char* method : {"OPTIONS", "REGISTER", "MESSAGE", "SUBSCRIBE", "PUBLISH"}) {
    const Datagram request = call.FromCaller(method, {.to_tag = ""});
    Send(request);
    Send(call.Reply(request, 200));
    EXPECT_THAT(Happened(), ElementsAre(fmt::format("forward {}", method),
                                        fmt::format("forward 200 ({})", method)));
  }
  EXPECT_THAT(monitor->Calls(CallMonitor::Include::kLiveAndEnded), IsEmpty());
}

TEST_F(OutOfState, ANotifyOfASubscriptionHasATagButNoCall) {
  Send(FromOutside().FromCaller("NOTIFY", {.to_tag = "subscriber"}));
  EXPECT_THAT(Happened(), ElementsAre("forward NOTIFY"));
  EXPECT_EQ(LastReason(), SipReason::out_of_dialog);
}

TEST_F(OutOfState, AResponseIsForgottenAfterItsTime) {
  const TestCall call = FromOutside();
  const Datagram request = call.FromCaller("OPTIONS", {.to_tag = ""});
  Send(request);
  Pass(seconds(33));
  Send(call.Reply(request, 200));
  EXPECT_EQ(LastReason(), SipReason::response_without_request);
}

TEST_F(OutOfState, RequestsOutsideDialogsToOtherPortsAreDropped) {
  TestCall call = FromOutside();
  call.callee.signalling.port = 5999;
  Send(call.FromCaller("OPTIONS", {.to_tag = ""}));
  EXPECT_EQ(LastReason(), SipReason::not_signalling_port);
  Send(call.FromCaller("INVITE"));
  EXPECT_EQ(LastReason(), SipReason::not_signalling_port);
  EXPECT_THAT(decisions.questions, IsEmpty());
  EXPECT_THAT(Happened(), IsEmpty());
}

// Who knows a call's tags must not reach any port inside with them.
TEST_F(OutOfState, RequestsInsideDialogsGoToSignallingPortsOnly) {
  TestCall call = FromOutside();
  Establish(call);
  call.callee.signalling.port = 15060;
  Happened();
  Send(call.FromCaller("INFO"));
  EXPECT_THAT(Happened(), IsEmpty());
  EXPECT_EQ(LastReason(), SipReason::not_signalling_port);
}

// A "retransmission" with another content or to another place would pass unjudged.
TEST_F(OutOfState, AnotherRequestUnderAKnownBranchIsDropped) {
  const TestCall call = FromOutside();
  const Datagram invite = call.FromCaller("INVITE", {.body = Sdp(alice).Text()});
  Send(invite);
  decisions.Accept();
  Happened();
  Send(invite);
  EXPECT_THAT(Happened(), ElementsAre("forward INVITE")) << "the same bytes are a retransmission";
  Datagram other = invite;
  other.payload.replace(other.payload.find("sip:"), 4, "sip:x");
  Send(other);
  EXPECT_EQ(LastReason(), SipReason::transaction_reused);
  Datagram elsewhere = invite;
  elsewhere.destination.port = 53;
  Send(elsewhere);
  EXPECT_EQ(LastReason(), SipReason::transaction_reused);
  EXPECT_THAT(Happened(), IsEmpty());
}

TEST_F(OutOfState, AnotherRequestUnderTheBranchOfAnOptionsIsDropped) {
  const TestCall call = FromOutside();
  const Datagram options = call.FromCaller("OPTIONS", {.to_tag = ""});
  Send(options);
  EXPECT_THAT(Happened(), ElementsAre("forward OPTIONS"));
  Datagram elsewhere = options;
  elsewhere.destination.port = 53;
  Send(elsewhere);
  EXPECT_EQ(LastReason(), SipReason::transaction_reused);
  EXPECT_THAT(Happened(), IsEmpty());
}

TEST_F(OutOfState, Rfc2543ElementsWithoutBranchesWork) {
  TestCall call = FromOutside();
  call.no_branch_via = "SIP/2.0/UDP 203.0.113.10";
  call.caller_tag = "";
  Establish(call);
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
  TestCall second = call;
  second.id = "second@test";
  second.cseq = 1;
  second.caller.media = At("203.0.113.10:4400");
  second.callee.media = At("198.51.100.20:30400");
  Establish(second);
  EXPECT_EQ(Open().size(), 8u) << "the same Via, but not the same transaction";
  HangUp(call);
  EXPECT_EQ(Open().size(), 4u);
}

TEST_F(OutOfState, ManyCallsShareOneFiveTuple) {
  std::vector<TestCall> calls;
  for (int i = 0; i < 20; ++i) {
    TestCall call = FromOutside(fmt::format("{}@trunk", i));
    call.caller.media.port = static_cast<uint16_t>(4000 + 2 * i);
    call.callee.media.port = static_cast<uint16_t>(30000 + 2 * i);
    Establish(call);
    calls.push_back(call);
  }
  EXPECT_EQ(Open().size(), 80u);
  HangUp(calls[7]);
  EXPECT_EQ(Open().size(), 76u);
  EXPECT_FALSE(pinholes.Pass(At("203.0.113.10:4014"), now_ns));
  EXPECT_TRUE(pinholes.Pass(At("203.0.113.10:4016"), now_ns));
}

// A call from outside that the proxy inside sends out again: the same Call-ID and tags cross twice.
TEST_F(OutOfState, AHairpinIsTwoCalls) {
  const Phone dora{"sip:dora@example.net", At("203.0.113.30:5060"), At("203.0.113.30:6000")};
  const Phone proxy{"sip:dora@example.net", At("198.51.100.2:5060"), At("198.51.100.2:0")};
  TestCall in{"hairpin@test", alice, proxy};
  TestCall out{"hairpin@test", {alice.uri, proxy.signalling, alice.media}, dora, STEM_SIDE_INSIDE};
  const Datagram invite_in = in.FromCaller("INVITE", {.body = Sdp(alice).Text()});
  Send(invite_in);
  decisions.Accept();
  const Datagram invite_out =
      out.FromCaller("INVITE", {.branch = "proxy", .body = Sdp(alice).Text()});
  Send(invite_out);
  EXPECT_EQ(monitor->Calls(CallMonitor::Include::kLive).size(), 2u);
  Send(out.Reply(invite_out, 200, {.body = Sdp(dora).Text()}));
  Send(in.Reply(invite_in, 200, {.body = Sdp(dora).Text()}));
  EXPECT_THAT(Open(), IsSupersetOf({"203.0.113.30:6000 from outside, 203.0.113.10:4000, rtp",
                                    "203.0.113.30:6000 from inside, 203.0.113.10:4000, rtp"}));
  // The callee hangs up: its BYE crosses the outer leg first.
  const Datagram bye_out = out.FromCallee("BYE");
  Send(bye_out);
  const Datagram bye_in = in.FromCallee("BYE", {.branch = "proxy-bye"});
  Send(bye_in);
  Send(in.Reply(bye_in, 200));
  EXPECT_EQ(monitor->Calls(CallMonitor::Include::kLive).size(), 1u);
  Send(out.Reply(bye_out, 200));
  EXPECT_THAT(monitor->Calls(CallMonitor::Include::kLive), IsEmpty());
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(OutOfState, NoiseIsCountedByName) {
  const TestCall call = FromOutside();
  Send(call.Wrap("\r\n\r\n", alice, bob, STEM_SIDE_OUTSIDE));
  EXPECT_EQ(LastReason(), SipReason::keepalive);
  Send(call.Wrap(std::string("\0\0\0\0", 4), alice, bob, STEM_SIDE_OUTSIDE));
  EXPECT_EQ(LastReason(), SipReason::keepalive);
  Send(call.Wrap("hello", alice, bob, STEM_SIDE_OUTSIDE));
  EXPECT_EQ(LastReason(), SipReason::not_sip);
  EXPECT_THAT(Happened(), IsEmpty());
}

TEST_F(OutOfState, AMalformedRequestIsAnsweredAndGoesNoFurther) {
  Send(FromOutside().Wrap(Replace(PlainRequest("INVITE"), "CSeq: 1 INVITE", "CSeq: 1 BYE"), alice,
                          bob, STEM_SIDE_OUTSIDE));
  EXPECT_EQ(Happened().back(), "answer 400 (BYE)");
  EXPECT_EQ(LastReason(), SipReason::malformed);
  EXPECT_THAT(sink.answers.back(),
              testing::StartsWith("SIP/2.0 400 CSeq method that is not the request's\r\n"));
}

TEST_F(OutOfState, WhatFollowsTheMessageInItsDatagramIsCutOff) {
  const TestCall call = FromOutside();
  const std::string options = PlainRequest("OPTIONS");
  Datagram datagram = call.Wrap(options + PlainRequest("INVITE"), alice, bob, STEM_SIDE_OUTSIDE);
  datagram.ip_packet = "the packet with both";
  Send(datagram);
  ASSERT_EQ(sink.forwarded.size(), 1u);
  EXPECT_EQ(sink.forwarded.front().payload, options);
  EXPECT_EQ(sink.forwarded.front().ip_packet, "") << "to be made anew";
  datagram.payload = Replace(options, "plain@", "other@");
  Send(datagram);
  EXPECT_EQ(sink.forwarded.back().ip_packet, "the packet with both") << "as it came";
}

}  // namespace
}  // namespace stem::test
