// SPDX-License-Identifier: Apache-2.0
// What a flow may send, to the byte.
#include "agent/protocol_parser/media_limits.h"

#include <gtest/gtest.h>

#include "agent/flow_monitor/codec_table.h"
#include "tests/unit/protocol_parser/sip_text.h"

namespace stem::test {
namespace {

SessionDescription Parsed(const Sdp& sdp) {
  auto parsed = ParseSessionDescription(sdp.Text(), CallLimits());
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *parsed : SessionDescription();
}

// An audio stream of those formats, with those lines.
Sdp Audio(std::string_view formats, const std::vector<std::string>& lines = {},
          std::string_view address = "192.0.2.1", std::string_view transport = "RTP/AVP") {
  Sdp sdp{Endpoint{*IpAddress::Parse(address), 0}};
  sdp.Stream("audio", 4000, transport, formats);
  for (const std::string& line : lines) sdp.Line(line);
  return sdp;
}

class MediaLimitsTest : public testing::Test {
 protected:
  MediaLimits Of(const Sdp& receiver, stem_media media = STEM_MEDIA_RTP) {
    const SessionDescription parsed = Parsed(receiver);
    const DeclaredStream stream{&parsed.streams.at(0), nullptr};
    return LimitsOf(policy, media, {&stream, 1});
  }
  MediaLimits Of(const Sdp& receiver, const Sdp& sender) {
    const SessionDescription a = Parsed(receiver);
    const SessionDescription b = Parsed(sender);
    const DeclaredStream stream{&a.streams.at(0), &b.streams.at(0)};
    return LimitsOf(policy, STEM_MEDIA_RTP, {&stream, 1});
  }
  MediaPolicy policy;
};

TEST_F(MediaLimitsTest, PcmuIs64KbitsAndTheHeadersOf10MsPackets) {
  const MediaLimits limits = Of(Audio("0"));
  EXPECT_EQ(limits.bytes, (MediaRate{15000, 5000})) << "1.25 x (8000 + 100 x 40)";
  EXPECT_EQ(limits.packets, (MediaRate{125, 25}));
  EXPECT_EQ(limits.max_length, 1640) << "200 ms";
  EXPECT_EQ(limits.payload_types, (std::array<uint64_t, 2>{1, 0}));
  EXPECT_EQ(limits.extras, 0);
}

TEST_F(MediaLimitsTest, HeadersAreCountedAsTheyAre) {
  EXPECT_EQ(Of(Audio("0", {}, "2001:db8::1")).bytes.per_second, 17500u) << "IPv6";
  EXPECT_EQ(Of(Audio("0", {}, "192.0.2.1", "RTP/SAVP")).bytes.per_second, 17500u) << "SRTP";
  EXPECT_EQ(Of(Audio("0", {"a=extmap:1 urn:x"})).bytes.per_second, 20000u);
}

TEST_F(MediaLimitsTest, OtherCodecs) {
  EXPECT_EQ(Of(Audio("18")).bytes.per_second, 6250u) << "G.729: 1.25 x (1000 + 100 x 40)";
  EXPECT_EQ(Of(Audio("18")).max_length, 240);
  EXPECT_EQ(Of(Audio("3")).bytes.per_second, 4563u) << "GSM: 1.25 x (1650 + 50 x 40)";
  EXPECT_EQ(Of(Audio("3")).packets.per_second, 63u);
  EXPECT_EQ(Of(Audio("4")).packets.per_second, 42u) << "G.723: 30 ms";
  EXPECT_EQ(Of(Audio("9")).bytes.per_second, 15000u) << "G.722: 64 kbit/s at a clock of 8000";
  EXPECT_EQ(Of(Audio("96", {"a=rtpmap:96 L16/16000"})).bytes.per_second, 45000u);
  EXPECT_EQ(Of(Audio("10")).bytes.per_second, 225500u) << "L16/44100/2";
}

TEST_F(MediaLimitsTest, OpusMayTakeWhatItAskedFor) {
  const std::string map = "a=rtpmap:96 opus/48000/2";
  EXPECT_EQ(Of(Audio("96", {map})).bytes.per_second, 84688u) << "1.25 x (63750 + 100 x 40)";
  EXPECT_EQ(
      Of(Audio("96", {map, "a=fmtp:96 useinbandfec=1;maxaveragebitrate=24000"})).bytes.per_second,
      8750u);
  EXPECT_EQ(Of(Audio("96", {"b=AS:40", map})).bytes.per_second, 11250u);
  EXPECT_EQ(Of(Audio("96", {"b=AS:40", map, "a=ptime:5"})).packets.per_second, 250u);
}

TEST_F(MediaLimitsTest, ADescriptionCannotLowerAFixedRate) {
  EXPECT_EQ(Of(Audio("0", {"b=AS:8"})), Of(Audio("0")));
  EXPECT_EQ(Of(Audio("0", {"a=ptime:40"})).bytes.per_second, 15000u) << "ptime is only a wish";
}

TEST_F(MediaLimitsTest, TheMostDemandingCodecAndWhatComesBesides) {
  EXPECT_EQ(Of(Audio("18 0 3")).bytes.per_second, 15000u);
  const MediaLimits limits = Of(Audio("0 101", {"a=rtpmap:101 telephone-event/8000"}));
  EXPECT_EQ(limits.bytes.per_second, 18500u) << "and 1.25 x (800 + 50 x 40)";
  EXPECT_EQ(limits.packets.per_second, 188u);
  EXPECT_EQ(limits.payload_types, (std::array<uint64_t, 2>{1, 1ull << (101 - 64)}));
  EXPECT_EQ(Of(Audio("0 96", {"a=rtpmap:96 red/8000"})).bytes.per_second, 45000u);
}

TEST_F(MediaLimitsTest, MaxptimeBoundsThePacket) {
  EXPECT_EQ(Of(Audio("0", {"a=maxptime:20"})).max_length, 200);
  EXPECT_EQ(Of(Audio("0", {"a=maxptime:20", "a=ptime:30"})).max_length, 280);
}

TEST_F(MediaLimitsTest, UnknownCodecsSayTheirBandwidthOrGetTheDefault) {
  const std::string map = "a=rtpmap:96 H264/90000";
  EXPECT_EQ(Of(Audio("96", {map})).bytes.per_second, 625000u) << "1.25 x 4 Mbit/s";
  EXPECT_EQ(Of(Audio("96", {map})).packets.per_second, 3125u);
  EXPECT_EQ(Of(Audio("96", {map})).max_length, 0) << "not checked";
  EXPECT_EQ(Of(Audio("96", {"b=AS:512", map})).bytes.per_second, 80000u);
  EXPECT_EQ(Of(Audio("96", {"b=TIAS:512000", map, "a=maxprate:50.0"})).bytes.per_second, 82500u);
  EXPECT_EQ(Of(Audio("96", {"b=AS:99999999", map})).bytes.per_second, 2'500'000u)
      << "never above max_rate";
  EXPECT_EQ(Of(Audio("96")).bytes.per_second, 625000u) << "no rtpmap";
}

TEST_F(MediaLimitsTest, TheReceiversTypesAndTheSendersNumbersForThem) {
  const MediaLimits limits = Of(Audio("0 96", {"a=rtpmap:96 telephone-event/8000"}),
                                Audio("0 8 101", {"a=rtpmap:101 telephone-event/8000"}));
  EXPECT_EQ(limits.payload_types,
            (std::array<uint64_t, 2>{1, 1ull << (96 - 64) | 1ull << (101 - 64)}))
      << "not 8, which the receiver has not declared";
}

TEST_F(MediaLimitsTest, TypesThatWereNotKeptAreAllowedAllTheSame) {
  std::string formats = "0";
  for (int type = 35; type < 80; ++type) formats += " " + std::to_string(type);
  const MediaLimits limits = Of(Audio(formats));
  EXPECT_EQ(limits.payload_types[1], 0xffffu);
  EXPECT_EQ(limits.bytes.per_second, 625000u);
}

TEST_F(MediaLimitsTest, RtcpHasItsShareAndAFloor) {
  EXPECT_EQ(Of(Audio("0"), STEM_MEDIA_RTCP).bytes.per_second, 2500u) << "1.25 x 2000";
  EXPECT_EQ(Of(Audio("96"), STEM_MEDIA_RTCP).bytes.per_second, 31250u) << "5 % of 4 Mbit/s";
  EXPECT_EQ(Of(Audio("0", {"b=RS:16000", "b=RR:32000"}), STEM_MEDIA_RTCP).bytes.per_second, 7500u);
  EXPECT_EQ(Of(Audio("0"), STEM_MEDIA_RTCP).payload_types, (std::array<uint64_t, 2>{}));
  EXPECT_EQ(Of(Audio("0"), STEM_MEDIA_RTP_RTCP).bytes.per_second, 17500u) << "both on one port";
}

TEST_F(MediaLimitsTest, ExtrasAreNegotiated) {
  const std::string ice = "a=ice-ufrag:abcd", dtls = "a=fingerprint:sha-256 00";
  const Sdp both = Audio("0", {ice, dtls}, "192.0.2.1", "UDP/TLS/RTP/SAVPF");
  EXPECT_EQ(Of(both).extras, STEM_EXTRA_STUN | STEM_EXTRA_DTLS);
  EXPECT_EQ(Of(both, Audio("0")).extras, 0) << "the other end has neither";
  EXPECT_EQ(Of(both, Audio("0", {ice})).extras, STEM_EXTRA_STUN);
  EXPECT_EQ(Of(Audio("0", {"a=ssrc:1 cname:a", "a=ssrc:1 msid:b"})).extras, 0);
  EXPECT_EQ(Of(Audio("0 96", {"a=rtpmap:96 red/8000"})).extras, 0);
  EXPECT_EQ(Of(Audio("0 96", {"a=rtpmap:96 rtx/8000"})).extras, STEM_EXTRA_MANY_SSRCS);
  EXPECT_EQ(Of(Audio("0", {"a=ssrc:1 cname:a", "a=ssrc:2 cname:a"})).extras, STEM_EXTRA_MANY_SSRCS);
}

TEST_F(MediaLimitsTest, ABundleIsOneFlow) {
  const SessionDescription bundle = Parsed(Sdp(Endpoint{At("192.0.2.1:1").address, 0})
                                               .Session("a=group:BUNDLE a v")
                                               .Stream("audio", 4000, "RTP/AVP", "0")
                                               .Line("a=mid:a")
                                               .Stream("video", 4000, "RTP/AVP", "96")
                                               .Line("b=AS:512")
                                               .Line("a=mid:v"));
  EXPECT_EQ(bundle.streams[0].bundle, 1);
  EXPECT_EQ(bundle.streams[1].bundle, 1);
  const DeclaredStream both[] = {{&bundle.streams[0], nullptr}, {&bundle.streams[1], nullptr}};
  const MediaLimits limits = LimitsOf(policy, STEM_MEDIA_RTP, both);
  EXPECT_EQ(limits.bytes.per_second, 15000u + 80000u);
  EXPECT_EQ(limits.payload_types, (std::array<uint64_t, 2>{1, 1ull << (96 - 64)}));
  EXPECT_EQ(limits.extras, STEM_EXTRA_MANY_SSRCS);
}

TEST_F(MediaLimitsTest, FaxIsNotRtp) {
  const Sdp fax = Sdp(Endpoint{At("192.0.2.1:1").address, 0}).Stream("image", 4000, "udptl", "t38");
  const MediaLimits limits = Of(fax, STEM_MEDIA_UDP);
  EXPECT_EQ(limits.bytes.per_second, 23500u) << "1.25 x (16000 + 100 x 28)";
  EXPECT_EQ(limits.payload_types, (std::array<uint64_t, 2>{}));
}

TEST_F(MediaLimitsTest, EitherSatisfiesBothAndKeepsWhatIsNotChecked) {
  const MediaLimits pcmu = Of(Audio("0")), g729 = Of(Audio("18")), video = Of(Audio("96"));
  EXPECT_EQ(Either(pcmu, pcmu), pcmu);
  EXPECT_EQ(Either(pcmu, g729).bytes, pcmu.bytes);
  EXPECT_EQ(Either(pcmu, g729).payload_types[0], 1ull | 1ull << 18);
  EXPECT_EQ(Either(pcmu, video).max_length, 0);
  EXPECT_EQ(Either(pcmu, MediaLimits()), MediaLimits());
}

TEST_F(MediaLimitsTest, LoweredStillPassesTwoOfTheLargestPackets) {
  const MediaLimits limits = Lowered(Of(Audio("0")), 0.1);
  EXPECT_EQ(limits.bytes, (MediaRate{1500, 3280}));
  EXPECT_EQ(limits.packets, (MediaRate{13, 3}));
}

// Whatever a sender does that follows the rules of its codec fits.
TEST_F(MediaLimitsTest, EveryPacketizationOfEveryFixedCodecFits) {
  for (const char* name : {"PCMU/8000", "G722/8000", "G729/8000", "GSM/8000", "iLBC/8000",
                           "AMR/8000", "AMR-WB/16000", "L16/16000/2", "G726-32/8000"}) {
    const MediaLimits limits = Of(Audio("96", {fmt::format("a=rtpmap:96 {}", name)}));
    const Codec codec = *FindCodec(name);
    for (uint32_t us = std::max(codec.frame_us, 10'000u); us <= 200'000; us += 10'000) {
      const double packets = 1e6 / us;
      const double payload = static_cast<double>(codec.bits_per_second) / 8 / packets;
      EXPECT_LE(packets, static_cast<double>(limits.packets.per_second)) << name << " " << us;
      EXPECT_LE(packets * (payload + 40), static_cast<double>(limits.bytes.per_second)) << name;
      EXPECT_LE(payload + 40, limits.max_length + 0.01) << name << " " << us;
      EXPECT_LE(2 * limits.max_length, limits.bytes.burst) << name;
    }
  }
}

TEST(CodecTableTest, NamesInAnyCaseWithAndWithoutRate) {
  EXPECT_EQ(FindCodec("pcmu")->bits_per_second, 64000u);
  EXPECT_EQ(FindCodec("L16/99999999999999999999/2")->bits_per_second, 16u * 8000 * 2);
  EXPECT_EQ(FindCodec("L16/384001/200")->bits_per_second, 16u * 384000 * 8);
  EXPECT_FALSE(FindCodec("H264/90000"));
  EXPECT_FALSE(FindCodec(""));
}

}  // namespace
}  // namespace stem::test
