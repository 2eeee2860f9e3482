// SPDX-License-Identifier: Apache-2.0
// RTP checks: only what the call negotiated, each packet once; and who latches a pinhole.
#include <linux/bpf.h>

#include <thread>

#include "agent/dataplane/mapped_array.h"
#include "agent/dataplane/pinned_map.h"
#include "common/clock.h"
#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

class RtpChecksTest : public KernelBench {
 protected:
  void SetUp() override {
    KernelBench::SetUp();
    if (IsSkipped()) return;
    LoadRelatch(std::chrono::hours(1));
    OpenAs(STEM_MEDIA_RTP, {});
  }
  void LoadRelatch(std::chrono::nanoseconds relatch, stem_module_mode mode = STEM_MODULE_ON) {
    DataPlaneConfig config = DefaultConfig();
    config.modules[STEM_MODULE_rtp_checks] = mode;
    config.ssrc_relatch = relatch;
    Load(config);
  }
  void OpenAs(stem_media media, MediaLimits limits, stem_peer_match match = STEM_PEER_ENDPOINT,
              std::string_view peer = "192.0.2.10:4000") {
    const absl::Status opened =
        pinholes().Open(kKey, {match, At(peer), media, 7, limits}, MonotonicNanoseconds());
    ASSERT_TRUE(opened.ok()) << opened;
  }
  std::string Send(const std::string& payload, std::string_view from = "192.0.2.10",
                   uint16_t port = 4000) {
    return Run(Ethernet() / Ipv4(from, "198.51.100.20") / Udp(port, 30000) / payload).reason;
  }
  std::string SendNumber(int number) {
    return Send(Rtp({.sequence = static_cast<uint16_t>(number)}));
  }
  PinholeUse Use() { return (*pinholes().Find(kKey))->use; }

  const PinholeKey kKey{At("198.51.100.20:30000"), STEM_SIDE_OUTSIDE};
};

TEST_F(RtpChecksTest, WhatIsNotRtpDies) {
  EXPECT_EQ(Send(""), "not_media");
  EXPECT_EQ(Send("media"), "not_media");
  EXPECT_EQ(Send("GET / HTTP/1.1"), "not_media");
  for (const uint8_t version : {0, 1, 3}) {
    EXPECT_EQ(Send(Rtp({.version = version})), "not_media") << int(version);
  }
  EXPECT_EQ(Use().packets, 0u);
  EXPECT_EQ(Use().refused, 6u);
  EXPECT_EQ(Use().last_seen_ns, 0u) << "what is refused keeps no pinhole alive";
}

TEST_F(RtpChecksTest, ShorterThanAHeaderAtEveryByte) {
  const std::string whole = Rtp({});
  for (size_t length = 0; length < 12; ++length) {
    EXPECT_EQ(Send(whole.substr(0, length)), "not_media") << length;
  }
  EXPECT_EQ(Send(whole.substr(0, 12)), "media_relayed");
  std::string contributors = Rtp({.sequence = 2, .payload = 8});
  contributors[0] = static_cast<char>(0x83);
  EXPECT_EQ(Send(contributors), "not_media") << "3 CSRCs do not fit into 8 bytes";
}

TEST_F(RtpChecksTest, AnotherProtocolIsNotLookedIntoButPoliced) {
  OpenAs(STEM_MEDIA_UDP, {.packets = {1, 3}});
  EXPECT_EQ(Send(std::string("\0\1udptl", 7)), "media_relayed");
  EXPECT_EQ(Send("x"), "media_relayed");
  EXPECT_EQ(Send(Rtp({})), "media_relayed");
  EXPECT_EQ(Send("x"), "media_too_many");
}

TEST_F(RtpChecksTest, PayloadTypesThatWereNegotiated) {
  OpenAs(STEM_MEDIA_RTP, {.payload_types = {1ull << 0 | 1ull << 8, 1ull << (101 - 64)}});
  uint16_t sequence = 1;
  for (int type = 0; type < 128; ++type) {
    if (type >= 64 && type <= 95) continue;  // RTCP's, with the marker bit
    const bool good = type == 0 || type == 8 || type == 101;
    const auto payload_type = static_cast<uint8_t>(type);
    EXPECT_EQ(Send(Rtp({.sequence = sequence++, .payload_type = payload_type})),
              good ? "media_relayed" : "rtp_payload_type")
        << type;
    EXPECT_EQ(Send(Rtp({.sequence = sequence++,
                        .payload_type = static_cast<uint8_t>(payload_type | 0x80)})),
              good ? "media_relayed" : "rtp_payload_type")
        << type << " with the marker bit";
  }
}

TEST_F(RtpChecksTest, NoLargerThanTheCodecMakesThem) {
  OpenAs(STEM_MEDIA_RTP, {.max_length = 20 + 8 + 12 + 160});
  EXPECT_EQ(Send(Rtp({.sequence = 1, .payload = 160})), "media_relayed");
  EXPECT_EQ(Send(Rtp({.sequence = 2, .payload = 161})), "media_too_large");
}

TEST_F(RtpChecksTest, OneSourceUntilItIsSilent) {
  EXPECT_EQ(Send(Rtp({.sequence = 1, .ssrc = 1})), "media_relayed");
  EXPECT_EQ(Send(Rtp({.sequence = 2, .ssrc = 2})), "rtp_ssrc");
  EXPECT_EQ(Send(Rtp({.sequence = 2, .ssrc = 1})), "media_relayed");
  LoadRelatch(std::chrono::nanoseconds(1));
  EXPECT_EQ(Send(Rtp({.sequence = 9000, .ssrc = 2})), "media_relayed")
      << "silent for long enough, and numbers begin anew";
  LoadRelatch(std::chrono::hours(1));
  EXPECT_EQ(Send(Rtp({.sequence = 3, .ssrc = 1})), "rtp_ssrc");
}

TEST_F(RtpChecksTest, ANewGrantLetsANewSourceTalk) {
  EXPECT_EQ(Send(Rtp({.sequence = 1, .ssrc = 1})), "media_relayed");
  OpenAs(STEM_MEDIA_RTP, {});
  EXPECT_EQ(Send(Rtp({.sequence = 1, .ssrc = 2})), "rtp_ssrc") << "the same grant again";
  OpenAs(STEM_MEDIA_RTP, {.payload_types = {1, 0}});
  EXPECT_EQ(Send(Rtp({.sequence = 1, .ssrc = 2})), "media_relayed");
}

TEST_F(RtpChecksTest, NoNumberPassesTwice) {
  for (int number = 100; number < 200; ++number) {
    EXPECT_EQ(SendNumber(number), "media_relayed");
    EXPECT_EQ(SendNumber(number), "rtp_sequence") << number;
  }
}

TEST_F(RtpChecksTest, ReorderedWithinTheWindowStaleBehindIt) {
  SendNumber(1000);
  EXPECT_EQ(SendNumber(1047), "media_relayed");
  EXPECT_EQ(SendNumber(1000), "rtp_sequence") << "seen, and still in the window";
  EXPECT_EQ(SendNumber(1001), "media_relayed");
  EXPECT_EQ(SendNumber(1001), "rtp_sequence");
  EXPECT_EQ(SendNumber(999), "rtp_sequence") << "48 behind";
  for (int number = 1002; number < 1047; ++number) {
    EXPECT_EQ(SendNumber(number), "media_relayed") << number;
  }
  for (int number = 1000; number < 1048; ++number) {
    EXPECT_EQ(SendNumber(number), "rtp_sequence") << number;
  }
}

TEST_F(RtpChecksTest, NumbersWrapAround) {
  for (int number = 65500; number < 65600; ++number) {
    EXPECT_EQ(SendNumber(number), "media_relayed") << number;
  }
  EXPECT_EQ(SendNumber(65535), "rtp_sequence");
  EXPECT_EQ(SendNumber(0), "rtp_sequence");
}

TEST_F(RtpChecksTest, LossIsNoRestart) {
  SendNumber(1);
  EXPECT_EQ(SendNumber(1 + 2999), "media_relayed");
  EXPECT_EQ(SendNumber(3000 + 3000), "rtp_sequence") << "RFC 3550, A.1: MAX_DROPOUT";
}

TEST_F(RtpChecksTest, TwoConsecutiveNumbersAfterASilenceAreARestart) {
  LoadRelatch(std::chrono::nanoseconds(1));
  SendNumber(1);
  EXPECT_EQ(SendNumber(20000), "rtp_sequence");
  EXPECT_EQ(SendNumber(30000), "rtp_sequence");
  EXPECT_EQ(SendNumber(30002), "rtp_sequence") << "not consecutive";
  EXPECT_EQ(SendNumber(30003), "media_relayed");
  EXPECT_EQ(SendNumber(30004), "media_relayed");
  EXPECT_EQ(SendNumber(2), "rtp_sequence");
}

TEST_F(RtpChecksTest, ARecordingIsNotPlayedBesideTheStream) {
  for (int number = 1; number < 100; ++number) SendNumber(number);
  for (int number = 1; number < 50; ++number) {
    EXPECT_EQ(SendNumber(number), "rtp_sequence") << number;
  }
  EXPECT_EQ(SendNumber(100), "media_relayed");
}

// Report, section 4.1: a stream of large and always the same sequence numbers.
TEST_F(RtpChecksTest, TheAttackWithOneLargeNumberDies) {
  SendNumber(1);
  EXPECT_EQ(CountRuns(100,
                      Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(4000, 30000) /
                          Rtp({.sequence = 65535}),
                      "rtp_sequence"),
            100);
  EXPECT_EQ(SendNumber(2), "media_relayed") << "the call goes on";
}

TEST_F(RtpChecksTest, SeveralSourcesWhereNegotiated) {
  OpenAs(STEM_MEDIA_RTP, {.extras = STEM_EXTRA_MANY_SSRCS});
  EXPECT_EQ(Send(Rtp({.sequence = 1, .ssrc = 1})), "media_relayed");
  EXPECT_EQ(Send(Rtp({.sequence = 1, .ssrc = 2})), "media_relayed");
}

TEST_F(RtpChecksTest, RtcpWhereItBelongs) {
  EXPECT_EQ(Send(Rtcp(200)), "rtcp_invalid") << "into an RTP pinhole";
  OpenAs(STEM_MEDIA_RTCP, {});
  EXPECT_EQ(Send(Rtcp(200)), "media_relayed");
  EXPECT_EQ(Send(Rtcp(223)), "media_relayed");
  EXPECT_EQ(Send(Rtcp(200, 2)), "rtcp_invalid") << "longer than the datagram";
  EXPECT_EQ(Send(Rtcp(200, 1, 7)), "not_media");
  EXPECT_EQ(Send(Rtp({})), "not_media") << "RTP into an RTCP pinhole";
  OpenAs(STEM_MEDIA_RTP_RTCP, {});
  EXPECT_EQ(Send(Rtcp(200)), "media_relayed");
  EXPECT_EQ(Send(Rtp({})), "media_relayed");
}

TEST_F(RtpChecksTest, StunAndDtlsWhereNegotiated) {
  std::string stun(20, '\0');
  stun[4] = 0x21, stun[5] = 0x12, stun[6] = static_cast<char>(0xa4), stun[7] = 0x42;
  const std::string dtls = std::string(1, 22) + std::string(20, 'x');
  EXPECT_EQ(Send(stun), "not_media");
  EXPECT_EQ(Send(dtls), "not_media");
  OpenAs(STEM_MEDIA_RTP, {.extras = STEM_EXTRA_STUN});
  EXPECT_EQ(Send(stun), "media_relayed");
  EXPECT_EQ(Send(stun.substr(0, 19)), "not_media");
  stun[4] = 0;
  EXPECT_EQ(Send(stun), "not_media") << "without the magic cookie";
  EXPECT_EQ(Send(dtls), "not_media");
  OpenAs(STEM_MEDIA_RTP, {.extras = STEM_EXTRA_DTLS});
  EXPECT_EQ(Send(dtls), "media_relayed");
  EXPECT_EQ(Send(std::string(20, 19)), "not_media");
  EXPECT_EQ(Send(std::string(20, 64)), "not_media");
}

TEST_F(RtpChecksTest, WhoSendsTheFirstGoodPacketLatches) {
  OpenAs(STEM_MEDIA_RTP, {}, STEM_PEER_LATCH, "[::]:0");
  EXPECT_EQ(Send("rubbish", "192.0.2.66", 6666), "not_media") << "latches nothing";
  EXPECT_EQ(Send(Rtp({.sequence = 1}), "192.0.2.10", 4321), "media_relayed");
  EXPECT_EQ(Use().latched, At("192.0.2.10:4321"));
  EXPECT_EQ(Send(Rtp({.sequence = 2}), "192.0.2.66", 4321), "wrong_peer");
  EXPECT_EQ(Send(Rtp({.sequence = 2}), "192.0.2.10", 4322), "wrong_peer");
  EXPECT_EQ(Send(Rtp({.sequence = 2}), "192.0.2.10", 4321), "media_relayed");
}

TEST_F(RtpChecksTest, ALatchOfOneAddressTakesItsPort) {
  OpenAs(STEM_MEDIA_RTP, {}, STEM_PEER_LATCH, "192.0.2.10:0");
  EXPECT_EQ(Send(Rtp({}), "192.0.2.66", 4000), "wrong_peer");
  EXPECT_EQ(Send(Rtp({}), "192.0.2.10", 4321), "media_relayed");
  EXPECT_EQ(Send(Rtp({.sequence = 2}), "192.0.2.10", 4322), "wrong_peer");
}

// The CPU that was taking it writes into the place that the pinhole had before.
TEST_F(RtpChecksTest, AGrantChangedWhileSomebodyLatchesCanBeLatched) {
  OpenAs(STEM_MEDIA_RTP, {}, STEM_PEER_LATCH, "192.0.2.10:0");
  {
    const auto map = *MappedArray<stem_pinhole>::Open(
        OpenPinnedMap(DataPlane::PinDirectory(Instance()), "pinholes")->get(), "pinholes");
    int open = 0;
    for (stem_pinhole& pinhole : map.entries()) {
      if (pinhole.peer_match != STEM_PEER_LATCH) continue;
      pinhole.latch = STEM_LATCH_TAKING;
      ++open;
    }
    ASSERT_EQ(open, 1);
  }
  OpenAs(STEM_MEDIA_RTP, {.max_length = 1000}, STEM_PEER_LATCH, "192.0.2.10:0");
  EXPECT_EQ(Send(Rtp({}), "192.0.2.10", 4321), "media_relayed");
  EXPECT_EQ(Use().latched, At("192.0.2.10:4321"));
  EXPECT_EQ(Send(Rtp({.sequence = 2}), "192.0.2.10", 4322), "wrong_peer");
}

TEST_F(RtpChecksTest, ObservedItIsCountedAndPasses) {
  LoadRelatch(std::chrono::hours(1), STEM_MODULE_OBSERVE);
  EXPECT_EQ(Send("rubbish"), "media_relayed");
  EXPECT_EQ(SendNumber(7), "media_relayed");
  EXPECT_EQ(SendNumber(7), "media_relayed");
  EXPECT_EQ(Observed("not_media"), 1u);
  EXPECT_EQ(Observed("rtp_sequence"), 1u);
}

// Two CPUs, one flow: every number passes once, whoever comes first.
TEST_F(RtpChecksTest, TwoCpusLetNoNumberPassTwice) {
  constexpr int kNumbers = 2000;
  std::atomic<int> passed = 0;
  const auto send = [&] {
    for (int number = 1; number <= kNumbers; ++number) {
      const Bytes frame = (Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(4000, 30000) /
                           Rtp({.sequence = static_cast<uint16_t>(number)}))
                              .Build();
      if (RunUncounted(frame) == XDP_REDIRECT) ++passed;
    }
  };
  std::thread other(send);
  send();
  other.join();
  EXPECT_GT(passed, 0);
  EXPECT_LE(passed, kNumbers);
}

}  // namespace
}  // namespace stem
