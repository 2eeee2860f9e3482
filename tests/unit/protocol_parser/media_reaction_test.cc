// SPDX-License-Identifier: Apache-2.0
// What is done about streams that exceed their limits, and requests of sources in their penalty.
#include "tests/unit/protocol_parser/call_fixture.h"

namespace stem::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class MediaReactions : public CallMonitorTest {
 protected:
  void React(MediaReaction reaction) {
    config.media.reaction = reaction;
    Start();
  }
  const PinholeKey key{bob.media, STEM_SIDE_OUTSIDE};
  // In each of `periods`, so many packets pass and so many are refused.
  void Stream(uint64_t passed, uint64_t refused, int periods = 1) {
    for (int i = 0; i < periods && pinholes.open.contains(key); ++i) {
      PinholeUse& use = pinholes.open.at(key).use;
      use.packets += passed;
      use.too_fast += refused;
      use.last_seen_ns = now_ns;
      Pass(seconds(10));
    }
  }
};

TEST_F(MediaReactions, PolicedStreamsAreToldOfOncePerPeriod) {
  TestCall call = FromOutside();
  Establish(call);
  Stream(500, 300, 3);
  EXPECT_EQ(Counted(CallEvent::streams_policed), 3u);
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
  EXPECT_EQ(LastReason(), SipReason::media_policed);
  EXPECT_EQ(LastVerdict().why, "300 of 800 packets refused");
  EXPECT_EQ(LastVerdict().destination, bob.media);
  EXPECT_EQ(TheCall().ladder.back().message, "media");
  Stream(500, 0, 3);
  EXPECT_EQ(Counted(CallEvent::streams_policed), 3u) << "it behaves again";
}

TEST_F(MediaReactions, AFewPacketsAreNoMatter) {
  React(MediaReaction::kClose);
  TestCall call = FromOutside();
  Establish(call);
  Stream(0, 9);
  Stream(1000, 200);
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
}

TEST_F(MediaReactions, CloseEndsTheCall) {
  React(MediaReaction::kClose);
  TestCall call = FromOutside();
  Establish(call);
  Stream(500, 300);
  EXPECT_EQ(TheCall().state, CallState::kEnded);
  EXPECT_EQ(TheCall().outcome, "media above its limits");
  EXPECT_THAT(TheCall().ladder.back().why, HasSubstr("call ended"));
  EXPECT_THAT(Open(), IsEmpty());
  EXPECT_EQ(Counted(CallEvent::calls_media_exceeded), 1u);
  Happened();
  HangUp(call);
  EXPECT_THAT(Happened(), testing::ElementsAre("forward BYE", "forward 200 (BYE)"));
}

TEST_F(MediaReactions, LowerLowersOnceAndStays) {
  React(MediaReaction::kLower);
  TestCall call = FromOutside();
  Establish(call);
  const MediaRate before = pinholes.open.at(key).grant.limits.bytes;
  Stream(500, 300, 3);
  EXPECT_EQ(pinholes.open.at(key).grant.limits.bytes.per_second, before.per_second / 2);
  EXPECT_EQ(Counted(CallEvent::streams_lowered), 1u);
  const Datagram again =
      call.FromCaller("INVITE", {.body = Sdp(alice).Text(), .to_tag = call.callee_tag});
  Send(again);
  Send(call.Reply(again, 200, {.body = Sdp(bob).Text()}));
  EXPECT_EQ(pinholes.open.at(key).grant.limits.bytes.per_second, before.per_second / 2);
}

TEST_F(MediaReactions, PeriodZeroLooksNever) {
  config.media.period = milliseconds(0);
  React(MediaReaction::kClose);
  TestCall call = FromOutside();
  Establish(call);
  Stream(0, 1000, 3);
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
}

class MediaGrants : public CallMonitorTest {};

TEST_F(MediaGrants, AReInviteChangesLimitsAndTheSameOneChangesNothing) {
  TestCall call = FromOutside();
  Establish(call);
  const PinholeKey key{bob.media, STEM_SIDE_OUTSIDE};
  EXPECT_EQ(pinholes.open.at(key).grant.limits.bytes.per_second, 15000u);
  const auto reinvite = [&](std::string_view formats) {
    const Datagram invite = call.FromCaller(
        "INVITE", {.body = Sdp(Endpoint{alice.media.address, 0})
                               .Stream("audio", alice.media.port, "RTP/AVP", formats)
                               .Text(),
                   .to_tag = call.callee_tag});
    Send(invite);
    Send(call.Reply(invite, 200,
                    {.body = Sdp(Endpoint{bob.media.address, 0})
                                 .Stream("audio", bob.media.port, "RTP/AVP", formats)
                                 .Text()}));
    Send(call.FromCaller("ACK"));
    ++call.cseq;
  };
  Happened();
  reinvite("0 8");
  EXPECT_THAT(Happened(),
              testing::ElementsAre("forward INVITE", "forward 200 (INVITE)", "forward ACK"));
  reinvite("18");
  EXPECT_EQ(pinholes.open.at(key).grant.limits.bytes.per_second, 6250u);
  EXPECT_EQ(pinholes.open.at(key).grant.limits.payload_types[0], 1ull << 18);
}

TEST_F(MediaGrants, FaxIsLetThroughWithoutRtpChecks) {
  TestCall call = FromOutside();
  const auto fax = [](const Phone& phone) {
    return Sdp(Endpoint{phone.media.address, 0})
        .Stream("image", phone.media.port, "udptl", "t38")
        .Text();
  };
  const Datagram invite = call.FromCaller("INVITE", {.body = fax(alice)});
  Send(invite);
  decisions.Accept();
  Send(call.Reply(invite, 200, {.body = fax(bob)}));
  EXPECT_THAT(Open(),
              testing::ElementsAre("198.51.100.20:30000 from outside, 203.0.113.10:4000, udp",
                                   "203.0.113.10:4000 from inside, 198.51.100.20:30000, udp"));
}

class Penalty : public CallMonitorTest {
 protected:
  void SendAboveRate(Datagram datagram) {
    datagram.reason = STEM_REASON_sip_rate_to_agent;
    Send(std::move(datagram));
  }
};

TEST_F(Penalty, RequestsAreAnswered503AndLeaveNothing) {
  const TestCall call = FromOutside();
  SendAboveRate(call.FromCaller("INVITE", {.body = Sdp(alice).Text()}));
  EXPECT_THAT(Happened(), testing::ElementsAre("answer 503 (INVITE)"));
  EXPECT_THAT(sink.answers.back(), HasSubstr("Retry-After: 5\r\n"));
  EXPECT_EQ(LastReason(), SipReason::source_in_penalty);
  SendAboveRate(call.FromCaller("ACK"));
  EXPECT_THAT(Happened(), IsEmpty());
  EXPECT_EQ(Counted(SipReason::source_in_penalty), 2u);
  for (const TableUse& use : monitor->Tables()) EXPECT_EQ(use.high_water, 0u) << use.name;
  EXPECT_TRUE(monitor->Calls(CallMonitor::Include::kLiveAndEnded).empty());
  Send(call.FromCaller("INVITE", {.body = Sdp(alice).Text()}));
  EXPECT_EQ(LastVerdict().action, SipAction::kHeld) << "what the kernel let through is none of it";
}

TEST_F(Penalty, ResponsesAreNotConcerned) {
  TestCall call = FromInside();
  const Datagram invite = call.FromCaller("INVITE", {.body = Sdp(bob).Text()});
  Send(invite);
  SendAboveRate(call.Reply(invite, 200, {.body = Sdp(alice).Text()}));
  EXPECT_EQ(TheCall().state, CallState::kEstablished);
}

}  // namespace
}  // namespace stem::test
