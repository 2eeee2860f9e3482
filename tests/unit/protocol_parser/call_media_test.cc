// SPDX-License-Identifier: Apache-2.0
// Offers, answers and the pinholes they make.
#include "tests/unit/protocol_parser/call_fixture.h"

namespace stem::test {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

class CallMedia : public CallMonitorTest {};

TEST_F(CallMedia, TheAnswerOpensAndNarrowsBothWaysBeforeItGoesOn) {
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Happened();
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Happened(),
              ElementsAre("open 198.51.100.20:30000 from outside, 203.0.113.10:4000, rtp",
                          "open 198.51.100.20:30001 from outside, 203.0.113.10:4001, rtcp",
                          "change 203.0.113.10:4000 from inside, 198.51.100.20:30000, rtp",
                          "change 203.0.113.10:4001 from inside, 198.51.100.20:30001, rtcp",
                          "forward 200 (INVITE)"));
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
  EXPECT_EQ(TheCall().pinholes.size(), 4u);
  EXPECT_EQ(store.records.begin()->second.state, STEM_CALL_ESTABLISHED);
  EXPECT_STREQ(store.records.begin()->second.callee_tag, "callee");
  EXPECT_EQ(store.records.begin()->second.media_expected, 1u);
}

TEST_F(CallMedia, ACallFromInsideOpensTheSameFour) {
  TestCall call = FromInside();
  Establish(call);
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
}

TEST_F(CallMedia, PeersMayBeAddressesByConfiguration) {
  config.media_peer = MediaPeer::kAddress;
  Start();
  TestCall call = FromOutside();
  Establish(call);
  EXPECT_THAT(Open(), Contains("203.0.113.10:4000 from inside, 198.51.100.20, rtp"));
}

TEST_F(CallMedia, EarlyMediaOpensWithThe183AndNeedsNoPrack) {
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Send(call.Reply(invite, 183, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
  EXPECT_EQ(TheCall().state, CallState::kRinging);
  Happened();
  Send(call.Reply(invite, 200));  // no SDP: the 183's answer stands
  EXPECT_THAT(Happened(), ElementsAre("forward 200 (INVITE)"));
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
}

TEST_F(CallMedia, A2xxThatChangesItsEarlyAnswerIsFollowed) {
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Send(call.Reply(invite, 183, {.body = Sdp(carol).Text()}));
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
}

TEST_F(CallMedia, ForksKeepTheCallersPinholeWideUntilOneIsPickedUp) {
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Send(call.Reply(invite, 183, {.body = Sdp(bob).Text(), .to_tag = "fork-b"}));
  Send(call.Reply(invite, 183, {.body = Sdp(carol).Text(), .to_tag = "fork-c"}));
  EXPECT_THAT(Open(), IsSupersetOf({"203.0.113.10:4000 from inside, any, rtp",
                                    "198.51.100.20:30000 from outside, 203.0.113.10:4000, rtp",
                                    "198.51.100.21:32000 from outside, 203.0.113.10:4000, rtp"}));
  Happened();
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text(), .to_tag = "fork-b"}));
  EXPECT_THAT(Open(), ElementsAreArray(BothWays())) << "the other fork's early media has ended";
  EXPECT_THAT(Happened(), Contains("close 198.51.100.21:32000"));
}

TEST_F(CallMedia, AForkThatHasNotAnsweredYetMaySendTooWhileAnotherHas) {
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Send(call.Reply(invite, 183, {.body = Sdp(bob).Text(), .to_tag = "fork-b"}));
  EXPECT_THAT(Open(), Contains("203.0.113.10:4000 from inside, 198.51.100.20:30000, rtp"));
  Send(call.Reply(invite, 180, {.body = "", .to_tag = "fork-c"}));
  EXPECT_THAT(Open(), Contains("203.0.113.10:4000 from inside, any, rtp"));
}

TEST_F(CallMedia, ForksOutsideNeverOpenAPhoneInsideToEverybody) {
  const Phone stranger{"sip:alice@example.com", At("203.0.113.77:5060"), At("203.0.113.77:4000")};
  const TestCall call = FromInside();
  const Datagram invite = Ring(call);
  Send(call.Reply(invite, 183, {.body = Sdp(alice).Text(), .to_tag = "one"}));
  Send(call.Reply(invite, 183, {.body = Sdp(stranger).Text(), .to_tag = "two"}));
  EXPECT_THAT(Open(), Contains("198.51.100.20:30000 from outside, 203.0.113.77:4000, rtp"))
      << "the newest fork may send";
  EXPECT_THAT(Open(), Each(Not(HasSubstr("from outside, any"))));
}

TEST_F(CallMedia, TwoForksThatBothAnswerAreTwoDialogsOfOneCall) {
  TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text(), .to_tag = "fork-b"}));
  Send(call.Reply(invite, 200, {.body = Sdp(carol).Text(), .to_tag = "fork-c"}));
  EXPECT_THAT(Open(), IsSupersetOf(BothWays())) << "the first stays";
  EXPECT_THAT(Open(), Contains("198.51.100.21:32000 from outside, 203.0.113.10:4000, rtp"));
  // The caller keeps the second.
  call.cseq = 2;
  const Datagram bye = call.FromCaller("BYE", {.to_tag = "fork-b"});
  Send(bye);
  Send(call.Reply(bye, 200));
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
  EXPECT_THAT(Open(), Contains("203.0.113.10:4000 from inside, 198.51.100.21:32000, rtp"));
  EXPECT_THAT(Open(), Not(Contains(HasSubstr("198.51.100.20"))));
}

TEST_F(CallMedia, ADelayedOfferIsAnsweredByTheAck) {
  TestCall call = FromOutside();
  const Datagram invite = call.FromCaller("INVITE");
  Send(invite);
  decisions.Accept();
  EXPECT_THAT(Happened(), ElementsAre("forward INVITE"));
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Happened(), ElementsAre("open 198.51.100.20:30000 from outside, 203.0.113.10, rtp",
                                      "open 198.51.100.20:30001 from outside, 203.0.113.10, rtcp",
                                      "forward 200 (INVITE)"));
  Send(call.FromCaller("ACK", {.body = Sdp(alice).Text()}));
  EXPECT_THAT(
      Happened(),
      ElementsAre("change 198.51.100.20:30000 from outside, 203.0.113.10:4000, rtp",
                  "change 198.51.100.20:30001 from outside, 203.0.113.10:4001, rtcp",
                  "open 203.0.113.10:4000 from inside, 198.51.100.20:30000, rtp",
                  "open 203.0.113.10:4001 from inside, 198.51.100.20:30001, rtcp", "forward ACK"));
}

TEST_F(CallMedia, AnOfferTheAckDoesNotAnswerIsGone) {
  TestCall call = FromOutside();
  const Datagram invite = call.FromCaller("INVITE");
  Send(invite);
  decisions.Accept();
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text()}));
  Send(call.FromCaller("ACK"));
  EXPECT_THAT(Open(), IsEmpty());
}

TEST_F(CallMedia, AnOfferInAReliable183IsAnsweredByPrack) {
  TestCall call = FromOutside();
  const Datagram invite = call.FromCaller("INVITE", {.fields = {{"Supported", "100rel"}}});
  Send(invite);
  decisions.Accept();
  Send(call.Reply(invite, 183,
                  {.body = Sdp(bob).Text(), .fields = {{"Require", "100rel"}, {"RSeq", "1"}}}));
  Happened();
  ++call.cseq;
  const Datagram prack =
      call.FromCaller("PRACK", {.body = Sdp(alice).Text(), .fields = {{"RAck", "1 1 INVITE"}}});
  Send(prack);
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
  EXPECT_EQ(Happened().back(), "forward PRACK");
  Send(call.Reply(prack, 200));
  Send(call.Reply(invite, 200));
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
}

TEST_F(CallMedia, UpdateChangesAnEarlySession) {
  TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  Send(call.Reply(invite, 183, {.body = Sdp(bob).Text()}));
  ++call.cseq;
  const Phone moved{alice.uri, alice.signalling, At("203.0.113.10:4100")};
  const Datagram update = call.FromCaller("UPDATE", {.body = Sdp(moved).Text()});
  Send(update);
  EXPECT_THAT(Open(), IsSupersetOf({"203.0.113.10:4100 from inside, 198.51.100.20, rtp",
                                    "203.0.113.10:4000 from inside, 198.51.100.20:30000, rtp"}))
      << "both ports until the answer (RFC 3264, 8.3.1)";
  Send(call.Reply(update, 200, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Open(), Contains("203.0.113.10:4100 from inside, 198.51.100.20:30000, rtp"));
  EXPECT_THAT(Open(), Not(Contains(HasSubstr("203.0.113.10:4000"))));
  // The 2xx repeats the answer of the INVITE, which UPDATE has overtaken.
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Open(), Contains("203.0.113.10:4100 from inside, 198.51.100.20:30000, rtp"));
}

TEST_F(CallMedia, AReInviteOfTheCalleeMovesItsMedia) {
  TestCall call = FromOutside();
  Establish(call);
  const Phone moved{bob.uri, bob.signalling, At("198.51.100.20:30200")};
  const Datagram invite = call.FromCallee("INVITE", {.body = Sdp(moved).Text()});
  Send(invite);
  EXPECT_THAT(decisions.waiting, IsEmpty()) << "a re-INVITE is not asked";
  EXPECT_THAT(Open(), Contains("198.51.100.20:30200 from outside, 203.0.113.10, rtp"));
  Send(call.Reply(invite, 200, {.body = Sdp(alice).Text()}));
  EXPECT_THAT(Open(), ElementsAre("198.51.100.20:30200 from outside, 203.0.113.10:4000, rtp",
                                  "198.51.100.20:30201 from outside, 203.0.113.10:4001, rtcp",
                                  "203.0.113.10:4000 from inside, 198.51.100.20:30200, rtp",
                                  "203.0.113.10:4001 from inside, 198.51.100.20:30201, rtcp"));
}

TEST_F(CallMedia, AReInviteThatFailsLeavesTheSessionAsItWas) {
  TestCall call = FromOutside();
  Establish(call);
  const Phone moved{alice.uri, alice.signalling, At("203.0.113.10:4200")};
  const Datagram invite =
      call.FromCaller("INVITE", {.body = Sdp(moved).Text(), .to_tag = "callee"});
  Send(invite);
  EXPECT_THAT(Open(), Contains(HasSubstr("203.0.113.10:4200")));
  Send(call.Reply(invite, 488));
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
  Send(call.FromCaller("ACK", {.branch = "INVITE2", .cseq = 2}));
  EXPECT_EQ(Happened().back(), "forward ACK");
}

TEST_F(CallMedia, AReInviteThatFailsAfterAnEarlyAnswerIsUndone) {
  TestCall call = FromOutside();
  Establish(call);
  const Phone moved{alice.uri, alice.signalling, At("203.0.113.10:4200")};
  const Datagram invite =
      call.FromCaller("INVITE", {.body = Sdp(moved).Text(), .to_tag = "callee"});
  Send(invite);
  Send(call.Reply(invite, 183, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Open(), Contains("203.0.113.10:4200 from inside, 198.51.100.20:30000, rtp"));
  Send(call.Reply(invite, 500));
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
}

TEST_F(CallMedia, HoldByAddressClosesAndResumingOpens) {
  TestCall call = FromOutside();
  Establish(call);
  const Datagram hold =
      call.FromCaller("INVITE", {.body = Sdp(alice).Address("0.0.0.0").Text(), .to_tag = "callee"});
  Send(hold);
  Send(call.Reply(hold, 200, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Open(), IsEmpty());
  EXPECT_EQ(store.records.begin()->second.media_expected, 0u);
  ++call.cseq;
  const Datagram resume =
      call.FromCaller("INVITE", {.body = Sdp(alice).Text(), .to_tag = "callee"});
  Send(resume);
  Send(call.Reply(resume, 200, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
  EXPECT_EQ(store.records.begin()->second.media_expected, 1u);
}

TEST_F(CallMedia, AnOfferThatOnlySendsIsNotOpenForMediaToIt) {
  const TestCall call = FromOutside();
  Send(call.FromCaller("INVITE", {.body = Sdp(alice).Line("a=sendonly").Text()}));
  decisions.Accept();
  EXPECT_THAT(Open(), ElementsAre("203.0.113.10:4001 from inside, any, rtcp"));
}

TEST_F(CallMedia, RejectedStreamsHaveNoPinholes) {
  const TestCall call = FromOutside();
  const Datagram invite =
      call.FromCaller("INVITE", {.body = Sdp(alice).Stream("video", 4010).Text()});
  Send(invite);
  decisions.Accept();
  EXPECT_THAT(Open(), Contains("203.0.113.10:4010 from inside, any, rtp"));
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Stream("video", 0).Text()}));
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
}

TEST_F(CallMedia, OnePortForRtpAndRtcpOnlyWhenBothEndsSaySo) {
  const TestCall call = FromOutside();
  const Datagram invite = call.FromCaller("INVITE", {.body = Sdp(alice).Line("a=rtcp-mux").Text()});
  Send(invite);
  decisions.Accept();
  EXPECT_THAT(Open(), ElementsAre("203.0.113.10:4000 from inside, any, rtp+rtcp",
                                  "203.0.113.10:4001 from inside, any, rtcp"));
  Send(call.Reply(invite, 183, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Line("a=rtcp-mux").Text()}));
  EXPECT_THAT(Open(), ElementsAre("198.51.100.20:30000 from outside, 203.0.113.10:4000, rtp+rtcp",
                                  "203.0.113.10:4000 from inside, 198.51.100.20:30000, rtp+rtcp"));
}

TEST_F(CallMedia, RtcpMayHaveAPortOfItsOwn) {
  TestCall call = FromOutside();
  const Datagram invite = call.FromCaller(
      "INVITE", {.body = Sdp(alice).Line("a=rtcp:53020 IN IP4 203.0.113.11").Text()});
  Send(invite);
  decisions.Accept();
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text()}));
  EXPECT_THAT(Open(), IsSupersetOf({"203.0.113.11:53020 from inside, 198.51.100.20:30001, rtcp",
                                    "198.51.100.20:30001 from outside, 203.0.113.11:53020, rtcp"}));
}

TEST_F(CallMedia, SeveralPortPairsOfOneStream) {
  const TestCall call = FromOutside();
  Send(call.FromCaller("INVITE",
                       {.body = Replace(Sdp(alice).Text(), "audio 4000", "audio 4000/2")}));
  decisions.Accept();
  EXPECT_THAT(Open(), ElementsAre("203.0.113.10:4000 from inside, any, rtp",
                                  "203.0.113.10:4001 from inside, any, rtcp",
                                  "203.0.113.10:4002 from inside, any, rtp",
                                  "203.0.113.10:4003 from inside, any, rtcp"));
}

TEST_F(CallMedia, Ipv6MediaOfAnIpv4SignalledCall) {
  const Phone six{alice.uri, alice.signalling, At("[2001:db8::10]:4000")};
  const TestCall call = FromOutside();
  Send(call.FromCaller("INVITE", {.body = Sdp(six).Text()}));
  decisions.Accept();
  EXPECT_THAT(Open(), Contains("[2001:db8::10]:4000 from inside, any, rtp"));
}

struct BadEndpoint {
  const char* name;
  const char* endpoint;
  const char* why;
};
void PrintTo(const BadEndpoint& bad, std::ostream* out) { *out << bad.name; }

class CallMediaRefused : public CallMonitorTest, public testing::WithParamInterface<BadEndpoint> {};

TEST_P(CallMediaRefused, AnEndpointThatMayNotHaveAPinholeGetsNone) {
  const TestCall call = FromOutside();
  const Phone bad{alice.uri, alice.signalling, At(GetParam().endpoint)};
  const Datagram invite = call.FromCaller("INVITE", {.body = Sdp(bad).Text()});
  Send(invite);
  decisions.Accept();
  EXPECT_THAT(Open(), Not(Contains(HasSubstr(GetParam().endpoint))));
  EXPECT_EQ(Happened().back(), "forward INVITE");
  EXPECT_THAT(LastVerdict().why, HasSubstr(GetParam().why));
  EXPECT_GE(Counted(CallEvent::media_not_allowed), 1u);
  // Once told, not told again with every message.
  const uint64_t told = Counted(CallEvent::media_not_allowed);
  Send(call.Reply(invite, 183));
  EXPECT_EQ(Counted(CallEvent::media_not_allowed), told);
}

INSTANTIATE_TEST_SUITE_P(
    Endpoints, CallMediaRefused,
    testing::Values(BadEndpoint{"loopback", "127.0.0.1:4000", "loopback"},
                    BadEndpoint{"loopback6", "[::1]:4000", "loopback"},
                    BadEndpoint{"multicast", "224.2.1.1:4000", "multicast"},
                    BadEndpoint{"broadcast", "255.255.255.255:4000", "multicast or broadcast"},
                    BadEndpoint{"multicast6", "[ff02::1]:4000", "multicast"},
                    BadEndpoint{"low_port", "203.0.113.10:1023", "port below"},
                    BadEndpoint{"signalling", "203.0.113.10:5060", "signalling port"}),
    [](const testing::TestParamInfo<BadEndpoint>& info) { return info.param.name; });

TEST_F(CallMedia, AnOfferThatCannotBeReadIsForwardedWithoutPinholes) {
  const TestCall call = FromOutside();
  Send(call.FromCaller(
      "INVITE", {.body = Replace(Sdp(alice).Text(), "c=IN IP4 203.0.113.10", "c=IN IP4 pc.test")}));
  decisions.Accept();
  EXPECT_THAT(Happened(), ElementsAre("forward INVITE"));
  EXPECT_EQ(Counted(CallEvent::sdp_refused), 1u);
  const auto ladder = TheCall().ladder;
  EXPECT_THAT(ladder.front().why, HasSubstr("host names are not resolved"));
}

TEST_F(CallMedia, AnSdpInsideAMultipartBodyIsFound) {
  const TestCall call = FromOutside();
  const std::string body =
      "--b1\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b1\r\nContent-Type: application/sdp\r\n"
      "\r\n" +
      Sdp(alice).Text() + "\r\n--b1--\r\n";
  Send(call.FromCaller("INVITE", {.body = body, .type = "multipart/mixed;boundary=\"b1\""}));
  decisions.Accept();
  EXPECT_THAT(Open(), Contains("203.0.113.10:4000 from inside, any, rtp"));
}

TEST_F(CallMedia, AHeldInviteThatCannotHaveItsPinholesIsAnswered503) {
  pinholes.capacity = 1;
  const TestCall call = FromOutside();
  Send(call.FromCaller("INVITE", {.body = Sdp(alice).Text()}));
  decisions.Accept();
  EXPECT_EQ(Happened().back(), "answer 503 (INVITE)");
  EXPECT_THAT(sink.answers.back(), HasSubstr("Retry-After: 5\r\n"));
  EXPECT_THAT(Open(), IsEmpty()) << "what had been opened is closed again";
  EXPECT_EQ(LastReason(), SipReason::pinholes_full);
  EXPECT_THAT(store.records, IsEmpty());
}

TEST_F(CallMedia, AnInviteFromInsideThatCannotHaveItsPinholesToo) {
  pinholes.capacity = 1;
  Send(FromInside().FromCaller("INVITE", {.body = Sdp(bob).Text()}));
  EXPECT_EQ(Happened().back(), "answer 503 (INVITE)");
  EXPECT_THAT(sink.forwarded, IsEmpty());
}

TEST_F(CallMedia, AnAnswerThatCannotHaveItsPinholesIsForwardedAndMarked) {
  const TestCall call = FromOutside();
  const Datagram invite = Ring(call);
  pinholes.capacity = 2;
  Send(call.Reply(invite, 200, {.body = Sdp(bob).Text()}));
  EXPECT_EQ(Happened().back(), "forward 200 (INVITE)");
  EXPECT_THAT(LastVerdict().why, HasSubstr("the pinhole table is full"));
  EXPECT_EQ(Counted(CallEvent::pinholes_refused), 2u);
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
}

TEST_F(CallMedia, APinholeInUseByAnotherCallStaysWithIt) {
  TestCall first = FromOutside("first@test");
  Establish(first);
  Pass(seconds(10));
  pinholes.Pass(alice.media, now_ns - 4'000'000'000);
  const TestCall second = FromOutside("second@test");
  Send(second.FromCaller("INVITE", {.body = Sdp(alice).Text()}));
  Happened();
  decisions.Accept();
  EXPECT_EQ(Counted(CallEvent::pinholes_in_use), 1u) << "the RTP one; RTCP was silent";
  EXPECT_THAT(LastVerdict().why, HasSubstr("is using it"));
  EXPECT_THAT(Open(), Contains("203.0.113.10:4000 from inside, 198.51.100.20:30000, rtp"));
  EXPECT_EQ(Happened().back(), "forward INVITE");
}

TEST_F(CallMedia, AYoungPinholeStaysWithItsCall) {
  TestCall first = FromOutside("first@test");
  Establish(first);
  Pass(seconds(4));
  Send(FromOutside("second@test").FromCaller("INVITE", {.body = Sdp(alice).Text()}));
  decisions.Accept();
  EXPECT_EQ(Counted(CallEvent::pinholes_in_use), 2u);
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
}

TEST_F(CallMedia, APinholeOfASilentCallIsTakenOver) {
  TestCall first = FromOutside("first@test");
  Establish(first);
  Pass(seconds(10));
  const TestCall second = FromOutside("second@test");
  Send(second.FromCaller("INVITE", {.body = Sdp(alice).Text()}));
  decisions.Accept();
  EXPECT_EQ(Counted(CallEvent::pinholes_taken_over), 2u);
  EXPECT_THAT(Open(), Contains("203.0.113.10:4000 from inside, any, rtp"));
  // The first call's end does not close what is no longer its own.
  HangUp(first);
  EXPECT_THAT(Open(), ElementsAre("203.0.113.10:4000 from inside, any, rtp",
                                  "203.0.113.10:4001 from inside, any, rtcp"));
}

TEST_F(CallMedia, APinholeOfAnEstablishedCallIsNotForAStranger) {
  TestCall first = FromOutside("first@test");
  Establish(first);
  Pass(seconds(10));
  Datagram thief = FromOutside("thief@test").FromCaller("INVITE", {.body = Sdp(alice).Text()});
  thief.source.address = *IpAddress::Parse("203.0.113.66");
  Send(thief);
  decisions.Accept();
  EXPECT_EQ(Counted(CallEvent::pinholes_taken_over), 0u);
  EXPECT_EQ(Counted(CallEvent::pinholes_in_use), 2u);
  EXPECT_THAT(Open(), ElementsAreArray(BothWays()));
}

TEST_F(CallMedia, APinholeThatCannotBeClosedIsTriedAgain) {
  TestCall call = FromOutside();
  Establish(call);
  pinholes.close_fails = true;
  HangUp(call);
  EXPECT_EQ(Open().size(), 4u);
  pinholes.close_fails = false;
  Pass(milliseconds(200));
  EXPECT_THAT(Open(), IsEmpty());
}

}  // namespace
}  // namespace stem::test
