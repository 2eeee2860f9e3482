// SPDX-License-Identifier: Apache-2.0
// Reading session descriptions.
#include "agent/protocol_parser/session_description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/protocol_parser/sip_text.h"

namespace stem::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Endpoint kAudio = At("192.0.2.1:4000");

SessionDescription Read(const std::string& text) {
  auto description = ParseSessionDescription(text, CallLimits());
  EXPECT_TRUE(description.ok()) << description.status() << "\n" << text;
  return description.ok() ? *std::move(description) : SessionDescription();
}
std::string WhyNot(const std::string& text) {
  const auto description = ParseSessionDescription(text, CallLimits());
  EXPECT_FALSE(description.ok()) << text;
  return std::string(description.status().message());
}

TEST(SessionDescriptionTest, ReadsAPlainOne) {
  const SessionDescription description = Read(Sdp(kAudio).Text());
  ASSERT_EQ(description.streams.size(), 1u);
  const MediaStream& stream = description.streams.front();
  EXPECT_EQ(stream.media, "audio");
  EXPECT_EQ(stream.transport, "RTP/AVP");
  EXPECT_EQ(stream.rtp, kAudio);
  EXPECT_EQ(stream.rtcp, At("192.0.2.1:4001"));
  EXPECT_FALSE(stream.rtcp_mux);
  EXPECT_FALSE(stream.on_hold());
  EXPECT_FALSE(stream.rejected());
  EXPECT_EQ(stream.port_pairs, 1);
}

TEST(SessionDescriptionTest, AddressesOfStreamsGoBeforeTheSessions) {
  const SessionDescription description =
      Read(Sdp(kAudio).Line("c=IN IP6 2001:db8::1").Stream("video", 6000).Text());
  ASSERT_EQ(description.streams.size(), 2u);
  EXPECT_EQ(description.streams[0].rtp, At("[2001:db8::1]:4000"));
  EXPECT_EQ(description.streams[1].rtp, At("192.0.2.1:6000"));
}

TEST(SessionDescriptionTest, EncodingsComeFromRtpmapAndFromTheStaticTable) {
  const SessionDescription description = Read(Sdp(At("192.0.2.1:0"))
                                                  .Stream("audio", 4000, "RTP/AVP", "0 8 96 101 97")
                                                  .Line("a=rtpmap:96 opus/48000/2")
                                                  .Line("a=rtpmap:101 telephone-event/8000")
                                                  .Line("a=rtpmap:8 PCMA/8000")
                                                  .Text());
  EXPECT_THAT(description.Encodings(),
              ElementsAre("PCMU/8000", "PCMA/8000", "opus/48000/2", "telephone-event/8000"));
  ASSERT_EQ(description.streams.front().codecs.size(), 5u);
  EXPECT_EQ(description.streams.front().codecs[4].payload_type, 97);
  EXPECT_EQ(description.streams.front().codecs[4].encoding, "");
}

TEST(SessionDescriptionTest, DirectionsOfSessionAndStream) {
  const SessionDescription description =
      Read(Sdp(kAudio).Session("a=sendonly").Stream("video", 6000).Line("a=inactive").Text());
  EXPECT_EQ(description.streams[0].direction, MediaDirection::kSendOnly);
  EXPECT_FALSE(description.streams[0].receives());
  EXPECT_TRUE(description.streams[0].on_hold());
  EXPECT_EQ(description.streams[1].direction, MediaDirection::kInactive);
  EXPECT_TRUE(Read(Sdp(kAudio).Line("a=recvonly").Text()).streams[0].receives());
}

TEST(SessionDescriptionTest, AnUnspecifiedAddressIsHold) {
  EXPECT_TRUE(Read(Sdp(kAudio).Address("0.0.0.0").Text()).streams[0].on_hold());
}

TEST(SessionDescriptionTest, PortZeroIsARejectedStreamAndNeedsNoAddress) {
  const SessionDescription description =
      Read("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n");
  EXPECT_TRUE(description.streams[0].rejected());
  EXPECT_EQ(description.streams[0].rtcp, std::nullopt);
}

TEST(SessionDescriptionTest, RtcpAttributes) {
  EXPECT_EQ(Read(Sdp(kAudio).Line("a=rtcp:5010").Text()).streams[0].rtcp, At("192.0.2.1:5010"));
  EXPECT_EQ(Read(Sdp(kAudio).Line("a=rtcp:5010 IN IP6 2001:db8::2").Text()).streams[0].rtcp,
            At("[2001:db8::2]:5010"));
  EXPECT_TRUE(Read(Sdp(kAudio).Line("a=rtcp-mux").Text()).streams[0].rtcp_mux);
  EXPECT_THAT(WhyNot(Sdp(kAudio).Line("a=rtcp:x").Text()), HasSubstr("a=rtcp"));
  EXPECT_THAT(WhyNot(Sdp(kAudio).Line("a=rtcp:5010 IN IP4 host.test").Text()), HasSubstr("a=rtcp"));
}

TEST(SessionDescriptionTest, TransportsSayWhatIsOnTheWire) {
  const auto kind = [](std::string_view transport) {
    return Read(Sdp(At("192.0.2.1:0")).Stream("audio", 4000, transport, "0").Text())
        .streams[0]
        .kind;
  };
  for (const char* rtp :
       {"RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"}) {
    EXPECT_EQ(kind(rtp), MediaTransport::kRtp) << rtp;
  }
  EXPECT_EQ(kind("udptl"), MediaTransport::kUdp);
  EXPECT_EQ(kind("UDP/DTLS/SCTP"), MediaTransport::kUdp);
  EXPECT_EQ(kind("TCP/MSRP"), MediaTransport::kOther);
  EXPECT_EQ(kind("TCP/RTP/AVP"), MediaTransport::kOther);
}

TEST(SessionDescriptionTest, PortCounts) {
  const auto with = [](std::string_view port) {
    return Replace(Sdp(kAudio).Text(), "audio 4000", fmt::format("audio {}", port));
  };
  EXPECT_EQ(Read(with("49170/2")).streams[0].port_pairs, 2);
  EXPECT_THAT(WhyNot(with("49170/0")), HasSubstr("port count"));
  EXPECT_THAT(WhyNot(with("49170/1000")), HasSubstr("port count"));
  EXPECT_THAT(WhyNot(with("65534/2")), HasSubstr("65535"));
  EXPECT_THAT(WhyNot(with("65536")), HasSubstr("port"));
  EXPECT_THAT(WhyNot(with("-1")), HasSubstr("port"));
  EXPECT_EQ(Read(with("65535")).streams[0].rtcp, std::nullopt) << "no port is left for RTCP";
}

TEST(SessionDescriptionTest, IsLiberalAboutForm) {
  const std::string text = Sdp(kAudio).Text();
  std::string lf = text;
  std::erase(lf, '\r');
  EXPECT_EQ(Read(lf).streams.size(), 1u);
  EXPECT_EQ(Read(Replace(text, "s=-", "s=")).streams.size(), 1u);
  EXPECT_EQ(Read(Replace(text, "s=-", "s= ")).streams.size(), 1u);
  EXPECT_EQ(Read(text.substr(0, text.size() - 2)).streams.size(), 1u) << "no last line end";
}

TEST(SessionDescriptionTest, SaysWhatItCannotRead) {
  const std::string text = Sdp(kAudio).Text();
  const auto fqdn =
      ParseSessionDescription(Replace(text, "c=IN IP4 192.0.2.1", "c=IN IP4 a.test"), CallLimits());
  EXPECT_EQ(fqdn.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(fqdn.status().message()), HasSubstr("'a.test': host names"));
  EXPECT_THAT(WhyNot(Replace(text, "c=IN IP4", "c=IN IPX")), HasSubstr("IP4 nor"));
  EXPECT_THAT(WhyNot(Replace(text, "c=IN IP4 192.0.2.1\r\n", "")), HasSubstr("no c= line"));
  EXPECT_THAT(WhyNot("hello"), HasSubstr("osip2"));
  EXPECT_THAT(WhyNot(text + std::string("a=x\0y\r\n", 7)), HasSubstr("zero byte"));
}

TEST(SessionDescriptionTest, IsBounded) {
  Sdp many(kAudio);
  for (int i = 0; i < 20; ++i) many.Stream("audio", 5000);
  EXPECT_THAT(WhyNot(many.Text()), HasSubstr("more than 16 streams"));
  Sdp lines(kAudio);
  for (int i = 0; i < 2000; ++i) lines.Line("a=x");
  EXPECT_THAT(WhyNot(lines.Text()), HasSubstr("lines"));
  std::string formats;
  for (int i = 0; i < 1000; ++i) formats += "0 ";
  EXPECT_THAT(WhyNot(Sdp(At("192.0.2.1:0")).Stream("audio", 4000, "RTP/AVP", formats).Text()),
              HasSubstr("m= line"));
  const std::string encoding(1000, 'x');
  const auto longest = Read(Sdp(kAudio).Line("a=rtpmap:0 " + encoding).Text()).Encodings();
  EXPECT_THAT(longest, ElementsAre(encoding.substr(0, 64), "PCMA/8000"));
  CallLimits limits;
  limits.codecs_per_stream = 1;
  EXPECT_EQ(ParseSessionDescription(Sdp(kAudio).Text(), limits)->streams[0].codecs.size(), 1u);
}

TEST(FindSdpTest, LooksIntoParts) {
  EXPECT_EQ(FindSdp("application/sdp", "v=0"), "v=0");
  EXPECT_EQ(FindSdp("Application/SDP;x=y", "v=0"), "v=0");
  EXPECT_EQ(FindSdp("text/plain", "v=0"), std::nullopt);
  EXPECT_EQ(FindSdp("", "v=0"), std::nullopt);
  const std::string part = "\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b";
  EXPECT_EQ(FindSdp("multipart/mixed;boundary=b", "--b" + part + "--"), "v=0");
  EXPECT_EQ(FindSdp("multipart/mixed; boundary=\"b\"", "preamble\r\n--b" + part + "--"), "v=0");
  EXPECT_EQ(FindSdp("multipart/mixed;boundary=b",
                    "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b" + part + "--"),
            "v=0");
  EXPECT_EQ(FindSdp("multipart/mixed;boundary=b", "--b\r\n\r\nx\r\n--b--" + part), std::nullopt)
      << "after the last delimiter is nothing";
  EXPECT_EQ(FindSdp("multipart/mixed;boundary=b", "--b\r\nContent-Type: application/sdp\r\n\r\nv"),
            std::nullopt)
      << "a part that does not end";
  EXPECT_EQ(FindSdp("multipart/mixed", "--b" + part + "--"), std::nullopt) << "no boundary";
  const std::string nested =
      "--a\r\nContent-Type: multipart/alternative;boundary=b\r\n\r\n--b" + part + "--\r\n--a--";
  EXPECT_EQ(FindSdp("multipart/mixed;boundary=a", nested), "v=0");
}

}  // namespace
}  // namespace stem::test
