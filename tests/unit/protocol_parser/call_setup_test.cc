// SPDX-License-Identifier: Apache-2.0
// New calls: held, decided, and what becomes of them.
#include "tests/unit/protocol_parser/call_fixture.h"

namespace stem::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class CallSetup : public CallMonitorTest {};

TEST_F(CallSetup, AnInviteFromOutsideWaitsForItsDecision) {
  const TestCall call = FromOutside();
  Send(call.FromCaller("INVITE", {.body = Sdp(alice).Text(), .fields = {{"User-Agent", "test"}}}));
  EXPECT_THAT(Happened(), IsEmpty());
  ASSERT_EQ(decisions.questions.size(), 1u);
  const CallQuestion& question = decisions.questions.front();
  EXPECT_EQ(question.call_id, "in@test");
  EXPECT_EQ(question.caller, "sip:alice@example.com");
  EXPECT_EQ(question.request_uri, "sip:bob@example.org");
  EXPECT_EQ(question.to, "sip:bob@example.org");
  EXPECT_EQ(question.user_agent, "test");
  EXPECT_THAT(question.codecs, ElementsAre("PCMU/8000", "PCMA/8000"));
  EXPECT_EQ(question.source, alice.signalling);
  EXPECT_EQ(question.destination, bob.signalling);
  EXPECT_EQ(TheCall().state, CallState::kDeciding);
  EXPECT_THAT(store.records, IsEmpty()) << "nothing to adopt before the decision";
}

TEST_F(CallSetup, AnAcceptedInviteGoesOnAfterItsPinholesAreOpen) {
  const TestCall call = FromOutside();
  const Datagram invite = call.FromCaller("INVITE", {.body = Sdp(alice).Text()});
  Send(invite);
  decisions.Accept();
  EXPECT_THAT(Happened(),
              ElementsAre("open 203.0.113.10:4000 from inside, any, rtp",
                          "open 203.0.113.10:4001 from inside, any, rtcp", "forward INVITE"));
  EXPECT_EQ(sink.forwarded.back().payload, invite.payload) << "byte for byte";
  EXPECT_EQ(TheCall().state, CallState::kRinging);
  EXPECT_EQ(TheCall().why, "bob accepts");
  ASSERT_EQ(store.records.size(), 1u);
  EXPECT_EQ(store.records.begin()->second.state, STEM_CALL_RINGING);
  EXPECT_EQ(Counted(CallEvent::calls_accepted), 1u);
}

TEST_F(CallSetup, AnInviteFromInsideIsNotAsked) {
  const TestCall call = FromInside();
  Send(call.FromCaller("INVITE", {.body = Sdp(bob).Text()}));
  EXPECT_THAT(decisions.questions, IsEmpty());
  EXPECT_THAT(Happened(), ElementsAre("open 198.51.100.20:30000 from outside, 203.0.113.10, rtp",
                                      "open 198.51.100.20:30001 from outside, 203.0.113.10, rtcp",
                                      "forward INVITE"))
      << "from outside only the address the INVITE was sent to may send before the answer";
  EXPECT_EQ(TheCall().state, CallState::kRinging);
}

TEST_F(CallSetup, RetransmissionsAreAbsorbedWhileHeldAndForwardedAfterwards) {
  const TestCall call = FromOutside();
  const Datagram invite = call.FromCaller("INVITE", {.body = Sdp(alice).Text()});
  Send(invite);
  Send(invite);
  EXPECT_THAT(Happened(), IsEmpty());
  EXPECT_EQ(LastReason(), SipReason::absorbed);
  EXPECT_EQ(decisions.questions.size(), 1u);
  decisions.Accept();
  Happened();
  Send(invite);
  EXPECT_THAT(Happened(), ElementsAre("forward INVITE"));
  EXPECT_EQ(LastReason(), SipReason::retransmission);
  EXPECT_EQ(decisions.questions.size(), 1u);
}

TEST_F(CallSetup, AHeldInviteBlocksNobodyElse) {
  Send(FromOutside("held@test").FromCaller("INVITE", {.body = Sdp(alice).Text()}));
  TestCall other = FromInside("other@test");
  Send(other.FromCaller("INVITE", {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Happened(), Contains("forward INVITE"));
  Send(FromOutside("options@test").FromCaller("OPTIONS", {.to_tag = ""}));
  EXPECT_THAT(Happened(), ElementsAre("forward OPTIONS"));
}

TEST_F(CallSetup, DecisionsMayComeInAnyOrder) {
  const TestCall first = FromOutside("first@test");
  const TestCall second = FromOutside("second@test");
  Send(first.FromCaller("INVITE"));
  Send(second.FromCaller("INVITE"));
  std::swap(decisions.waiting[0], decisions.waiting[1]);
  decisions.Accept();
  ASSERT_EQ(sink.forwarded.size(), 1u);
  EXPECT_THAT(sink.forwarded.back().payload, HasSubstr("second@test"));
}

TEST_F(CallSetup, ARefusedInviteIsAnsweredInTheServersPlace) {
  const TestCall call = FromOutside();
  const Datagram invite = call.FromCaller("INVITE", {.body = Sdp(alice).Text()});
  Send(invite);
  decisions.Give({.kind = CallDecision::Kind::kRefuse,
                  .status = 603,
                  .reason = "Not today",
                  .contact = "",
                  .why = "bob refuses"});
  EXPECT_THAT(Happened(), ElementsAre("answer 603 (INVITE)"));
  EXPECT_THAT(sink.answers.back(), StartsWith("SIP/2.0 603 Not today\r\n"));
  EXPECT_EQ(sink.answered_to.back(), alice.signalling);
  EXPECT_EQ(LastReason(), SipReason::refused_by_decision);
  EXPECT_EQ(LastVerdict().ActionText(), "answered 603");
  EXPECT_EQ(LastVerdict().why, "bob refuses");
  EXPECT_EQ(TheCall().state, CallState::kEnded);
  EXPECT_EQ(TheCall().outcome, "refused with 603");
  EXPECT_THAT(Open(), IsEmpty());
  EXPECT_THAT(store.records, IsEmpty());
}

TEST_F(CallSetup, ARefusalBecauseTheSmIsDownIsCountedApart) {
  Send(FromOutside().FromCaller("INVITE"));
  decisions.Give({.kind = CallDecision::Kind::kRefuse,
                  .status = 503,
                  .reason = "",
                  .contact = "",
                  .why = "no security manager",
                  .from_sm = false});
  EXPECT_EQ(LastReason(), SipReason::sm_down_refused);
  EXPECT_THAT(sink.answers.back(), StartsWith("SIP/2.0 503 Service Unavailable\r\n"));
}

TEST_F(CallSetup, ARetransmissionOfARefusedInviteGetsTheSameBytesAndItsAckGoesNoFurther) {
  const TestCall call = FromOutside();
  const Datagram invite = call.FromCaller("INVITE");
  Send(invite);
  decisions.Give({});
  Send(invite);
  ASSERT_EQ(sink.answers.size(), 2u);
  EXPECT_EQ(sink.answers[0], sink.answers[1]);
  EXPECT_EQ(LastReason(), SipReason::answered_again);
  Happened();
  Send(call.FromCaller("ACK", {.branch = "INVITE1", .to_tag = "any"}));
  EXPECT_THAT(Happened(), IsEmpty());
  EXPECT_EQ(LastReason(), SipReason::absorbed);
  // 64*T1 later it is forgotten, and a new INVITE is a new question.
  Pass(seconds(33));
  Send(invite);
  EXPECT_EQ(decisions.questions.size(), 2u);
}

TEST_F(CallSetup, ARedirectedInviteIsAnswered302WithTheContact) {
  Send(FromOutside().FromCaller("INVITE"));
  decisions.Give({.kind = CallDecision::Kind::kRedirect,
                  .reason = "",
                  .contact = "sip:carol@example.org",
                  .why = "bob forwards"});
  EXPECT_THAT(sink.answers.back(), StartsWith("SIP/2.0 302 Moved Temporarily\r\n"));
  EXPECT_THAT(sink.answers.back(), HasSubstr("\r\nContact: <sip:carol@example.org>\r\n"));
  EXPECT_EQ(LastReason(), SipReason::redirected_by_decision);
  EXPECT_EQ(TheCall().outcome, "redirected to sip:carol@example.org");
}

TEST_F(CallSetup, AContactThatWouldBreakOutOfItsHeaderIsNotSent) {
  Send(FromOutside().FromCaller("INVITE"));
  decisions.Give({.kind = CallDecision::Kind::kRedirect,
                  .reason = "",
                  .contact = "sip:carol@example.org>\r\nX: y",
                  .why = ""});
  EXPECT_THAT(sink.answers.back(), StartsWith("SIP/2.0 480 "));
  EXPECT_THAT(sink.answers.back(), Not(HasSubstr("X: y")));
}

TEST_F(CallSetup, ADroppedInviteStaysWithoutAnswer) {
  const TestCall call = FromOutside();
  const Datagram invite = call.FromCaller("INVITE");
  Send(invite);
  decisions.Give({.kind = CallDecision::Kind::kDrop, .reason = "", .contact = "", .why = "spam"});
  for (int i = 0; i < 3; ++i) {
    Pass(seconds(20));  // each retransmission prolongs the silence
    Send(invite);
  }
  EXPECT_THAT(Happened(), IsEmpty());
  EXPECT_EQ(Counted(SipReason::dropped_by_decision), 4u);
  EXPECT_EQ(decisions.questions.size(), 1u);
  EXPECT_EQ(TheCall().outcome, "dropped");
}

TEST_F(CallSetup, ACancelOfAHeldInviteEndsItAndTheDecisionIsIgnored) {
  const TestCall call = FromOutside();
  Send(call.FromCaller("INVITE", {.body = Sdp(alice).Text()}));
  Send(call.FromCaller("CANCEL"));
  EXPECT_THAT(Happened(), ElementsAre("answer 200 (CANCEL)", "answer 487 (INVITE)"));
  EXPECT_EQ(TheCall().outcome, "cancelled");
  decisions.Accept();
  EXPECT_THAT(Happened(), IsEmpty());
  EXPECT_THAT(Open(), IsEmpty());
  // The agent answers for both transactions from now on.
  Send(call.FromCaller("ACK", {.branch = "INVITE1"}));
  EXPECT_EQ(LastReason(), SipReason::absorbed);
  Send(call.FromCaller("CANCEL"));
  EXPECT_THAT(Happened(), ElementsAre("answer 200 (CANCEL)"));
  EXPECT_EQ(Table("held messages").used, 0u);
  EXPECT_EQ(Table("held bytes").used, 0u);
}

TEST_F(CallSetup, TheTagsOfA200ToCancelAndOfThe487AreOne) {
  const TestCall call = FromOutside();
  Send(call.FromCaller("INVITE"));
  Send(call.FromCaller("CANCEL"));
  ASSERT_EQ(sink.answers.size(), 2u);
  const auto tag = [](const std::string& text) { return text.substr(text.find(";tag=stem-"), 26); };
  EXPECT_EQ(tag(sink.answers[0]), tag(sink.answers[1]));
}

TEST_F(CallSetup, ACancelOfAForwardedInviteIsForwarded) {
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Happened();
  const Datagram cancel = call.FromCaller("CANCEL");
  Send(cancel);
  Send(cancel);
  Send(call.Reply(cancel, 200));
  EXPECT_THAT(Happened(), ElementsAre("forward CANCEL", "forward CANCEL", "forward 200 (CANCEL)"));
  Send(call.Reply(invite, 487));
  EXPECT_THAT(Happened(), ElementsAre("close 203.0.113.10:4000", "close 203.0.113.10:4001",
                                      "forward 487 (INVITE)"));
  Send(call.FromCaller("ACK", {.branch = "INVITE1"}));
  EXPECT_THAT(Happened(), ElementsAre("forward ACK"));
}

TEST_F(CallSetup, ACallTriedAgainAfterA401IsOneCallInTheBooks) {
  TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Send(call.Reply(invite, 401));
  const uint64_t id = TheCall().id;
  Send(call.FromCaller("ACK", {.branch = "INVITE1"}));
  ++call.cseq;
  Ring(call);
  EXPECT_EQ(TheCall().id, id);
  EXPECT_EQ(TheCall().state, CallState::kRinging);
  EXPECT_EQ(decisions.questions.size(), 2u) << "a new INVITE is a new question";
  EXPECT_GE(TheCall().ladder.size(), 6u) << "its ladder goes on";
}

TEST_F(CallSetup, ForksOfAProxyOutsideAreOneCallAndEachIsAsked) {
  const TestCall call = FromOutside();
  const Datagram to_bob = call.FromCaller("INVITE", {.branch = "b", .body = Sdp(alice).Text()});
  const Datagram to_carol = call.FromCaller(
      "INVITE", {.branch = "c", .body = Sdp(alice).Text(), .uri = "sip:carol@example.org"});
  Send(to_bob);
  Send(to_carol);
  ASSERT_EQ(decisions.questions.size(), 2u);
  EXPECT_EQ(decisions.questions[1].request_uri, "sip:carol@example.org");
  decisions.Give({.kind = CallDecision::Kind::kRefuse, .reason = "", .contact = "", .why = ""});
  decisions.Accept();
  EXPECT_EQ(TheCall().state, CallState::kRinging) << "one fork's refusal does not end the other";
  Send(call.Reply(to_carol, 200, {.body = Sdp(carol).Text()}));
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
}

TEST_F(CallSetup, WhatADecisionMeansIsForgottenWithTheMonitor) {
  Send(FromOutside().FromCaller("INVITE"));
  monitor.reset();
  decisions.Accept();
  EXPECT_THAT(Happened(), IsEmpty());
}

TEST_F(CallSetup, TheAnswerToAnInviteKeepsItsViaForTheSourceOfThePacket) {
  TestCall call = FromOutside();
  Datagram invite = call.FromCaller("INVITE");
  invite.payload = Replace(invite.payload, "203.0.113.10:5060;", "10.0.0.1:5060;rport;");
  invite.source = At("203.0.113.10:61234");
  Send(invite);
  decisions.Give({});
  EXPECT_THAT(sink.answers.back(),
              HasSubstr("Via: SIP/2.0/UDP 10.0.0.1:5060;rport=61234;branch=z9hG4bK-in@test-INVITE1;"
                        "received=203.0.113.10\r\n"));
}

}  // namespace
}  // namespace stem::test
