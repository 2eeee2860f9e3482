// SPDX-License-Identifier: Apache-2.0
// Pinholes and the relay behind them.
#include <linux/bpf.h>

#include <algorithm>

#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

class PinholeTest : public KernelBench {
 protected:
  static Packet Media(uint16_t from, uint16_t to, Ipv4Options options = {}) {
    return Ethernet() / Ipv4("192.0.2.10", "198.51.100.20", options) / Udp(from, to) / "media";
  }
  static Packet Media6(uint16_t from, uint16_t to, Ipv6Options options = {}) {
    return Ethernet() / Ipv6("2001:db8:1::10", "2001:db8:2::20", options) / Udp(from, to) / "media";
  }
};

uint16_t HeaderSum(const Bytes& frame) {
  uint32_t sum = 0;
  for (size_t i = 14; i < 34; i += 2) sum += frame[i] << 8 | frame[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

TEST_F(PinholeTest, WithoutOneMediaDies) {
  const Outcome outcome = Run(Media(4000, 30000));
  EXPECT_EQ(outcome.verdict, XDP_DROP);
  EXPECT_EQ(outcome.reason, "no_pinhole");
}

TEST_F(PinholeTest, ThroughOneMediaIsRelayed) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  const Bytes in = Media(4000, 30000).Build();
  const Outcome outcome = Run(in);
  EXPECT_EQ(outcome.verdict, XDP_REDIRECT);
  EXPECT_EQ(outcome.reason, "media_relayed");
  const Bytes to_inside1 = {0x02, 0, 0, 0, 0x02, 0x02};
  const Bytes from_inside0 = {0x02, 0, 0, 0, 0x02, 0x01};
  EXPECT_TRUE(std::equal(to_inside1.begin(), to_inside1.end(), outcome.out.begin()));
  EXPECT_TRUE(std::equal(from_inside0.begin(), from_inside0.end(), outcome.out.begin() + 6));
  EXPECT_EQ(outcome.out[22], 63) << "TTL went down by one";
  EXPECT_EQ(HeaderSum(outcome.out), 0xffff) << "the header checksum is right";
  EXPECT_TRUE(std::equal(in.begin() + 26, in.end(), outcome.out.begin() + 26))
      << "addresses, ports and payload are untouched";
}

TEST_F(PinholeTest, HeaderChecksumStaysRightForEveryTtl) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  for (int ttl = 2; ttl <= 255; ++ttl) {
    const Outcome outcome = Run(Media(4000, 30000, {.ttl = static_cast<uint8_t>(ttl)}));
    ASSERT_EQ(outcome.reason, "media_relayed");
    ASSERT_EQ(outcome.out[22], ttl - 1);
    ASSERT_EQ(HeaderSum(outcome.out), 0xffff) << "TTL " << ttl;
  }
}

TEST_F(PinholeTest, Ipv6IsRelayed) {
  OpenPinhole("[2001:db8:2::20]:30000", "[2001:db8:1::10]:4000");
  const Outcome outcome = Run(Media6(4000, 30000));
  EXPECT_EQ(outcome.verdict, XDP_REDIRECT);
  EXPECT_EQ(outcome.reason, "media_relayed");
  EXPECT_EQ(outcome.out[21], 63) << "hop limit";
}

TEST_F(PinholeTest, SpentTtlGoesToTheStackForItsIcmp) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  OpenPinhole("[2001:db8:2::20]:30000", "[2001:db8:1::10]:4000");
  for (const uint8_t ttl : {0, 1}) {
    EXPECT_EQ(Run(Media(4000, 30000, {.ttl = ttl})).reason, "media_to_stack");
    EXPECT_EQ(Run(Media6(4000, 30000, {.hop_limit = ttl})).reason, "media_to_stack");
  }
}

TEST_F(PinholeTest, UnknownNeighbourGoesToTheStack) {
  OpenPinhole("198.51.100.77:30000", "192.0.2.10:4000");
  const Outcome outcome =
      Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.77") / Udp(4000, 30000) / "media");
  EXPECT_EQ(outcome.verdict, XDP_PASS);
  EXPECT_EQ(outcome.reason, "media_to_stack");
}

TEST_F(PinholeTest, OnlyItsPeerMaySend) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  EXPECT_EQ(Run(Media(4001, 30000)).reason, "wrong_peer") << "another port";
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.11", "198.51.100.20") / Udp(4000, 30000) / "x").reason,
            "wrong_peer")
      << "another address";
  EXPECT_EQ(Run(Media(4000, 30001)).reason, "no_pinhole") << "another destination port";
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.21") / Udp(4000, 30000) / "x").reason,
            "no_pinhole")
      << "another destination";
  const auto pinhole = pinholes().Find({At("198.51.100.20:30000"), STEM_SIDE_OUTSIDE});
  ASSERT_TRUE(pinhole.ok() && pinhole->has_value());
  EXPECT_EQ((*pinhole)->use.wrong_peer, 2u);
  EXPECT_EQ((*pinhole)->use.packets, 0u);
  EXPECT_EQ((*pinhole)->use.last_seen_ns, 0u) << "strangers do not keep a pinhole alive";
}

TEST_F(PinholeTest, PeerByAddressTakesAnyPort) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:0", STEM_PEER_ADDRESS);
  EXPECT_EQ(Run(Media(1, 30000)).reason, "media_relayed");
  EXPECT_EQ(Run(Media(65535, 30000)).reason, "media_relayed");
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.11", "198.51.100.20") / Udp(1, 30000) / "x").reason,
            "wrong_peer");
}

TEST_F(PinholeTest, OfferedPinholeTakesAnybodyOnItsSideOnly) {
  OpenPinhole("192.0.2.10:4000", "0.0.0.0:0", STEM_PEER_ANY, STEM_SIDE_INSIDE);
  const auto from = [](std::string_view source) {
    return Ethernet() / Ipv4(source, "192.0.2.10") / Udp(30000, 4000) / "early media";
  };
  EXPECT_EQ(Run(from("198.51.100.20"), STEM_SIDE_INSIDE).reason, "media_relayed");
  EXPECT_EQ(Run(from("198.51.100.21"), STEM_SIDE_INSIDE).reason, "media_relayed");
  EXPECT_EQ(Run(from("198.51.100.20"), STEM_SIDE_OUTSIDE).reason, "no_pinhole")
      << "an inside address that arrives outside is a forgery";
}

TEST_F(PinholeTest, AnUnfilledEntryLetsNobodyIn) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000", STEM_PEER_NONE);
  EXPECT_EQ(Run(Media(4000, 30000)).reason, "wrong_peer");
}

TEST_F(PinholeTest, TcpDoesNotGoThrough) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Tcp(4000, 30000)).reason,
            "policy_denied");
}

TEST_F(PinholeTest, ClosedMeansClosed) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  EXPECT_EQ(Run(Media(4000, 30000)).reason, "media_relayed");
  const auto use = pinholes().Close({At("198.51.100.20:30000"), STEM_SIDE_OUTSIDE});
  ASSERT_TRUE(use.ok() && use->has_value());
  EXPECT_EQ((*use)->packets, 1u);
  EXPECT_EQ((*use)->bytes, 33u);
  EXPECT_GT((*use)->last_seen_ns, 0u);
  EXPECT_EQ(Run(Media(4000, 30000)).reason, "no_pinhole");
  const auto again = pinholes().Close({At("198.51.100.20:30000"), STEM_SIDE_OUTSIDE});
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->has_value());
}

TEST_F(PinholeTest, NarrowingKeepsTheCounters) {
  OpenPinhole("198.51.100.20:30000", "0.0.0.0:0", STEM_PEER_ANY);
  Run(Media(4000, 30000));
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  Run(Media(4000, 30000));
  const auto pinhole = pinholes().Find({At("198.51.100.20:30000"), STEM_SIDE_OUTSIDE});
  ASSERT_TRUE(pinhole.ok() && pinhole->has_value());
  EXPECT_EQ((*pinhole)->use.packets, 2u);
  EXPECT_EQ((*pinhole)->grant.match, STEM_PEER_ENDPOINT);
}

TEST_F(PinholeTest, AFullTableRefusesAndKeepsWhatItHas) {
  for (int i = 0; i < 16; ++i) {
    OpenPinhole("198.51.100.20:" + std::to_string(30000 + i), "192.0.2.10:4000");
  }
  const absl::Status status = pinholes().Open({At("198.51.100.20:40000"), STEM_SIDE_OUTSIDE},
                                              {STEM_PEER_ANY, {}, STEM_MEDIA_RTP, 7}, 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(Run(Media(4000, 40000)).reason, "no_pinhole");
  EXPECT_EQ(Run(Media(4000, 30000)).reason, "media_relayed");
  EXPECT_EQ(Run(Media(4000, 30015)).reason, "media_relayed");
  // Changing the grant of one that is open needs no room.
  OpenPinhole("198.51.100.20:30003", "192.0.2.10:5000");
  const auto all = pinholes().List();
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->size(), 16u);
}

}  // namespace
}  // namespace stem
