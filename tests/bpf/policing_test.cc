// SPDX-License-Identifier: Apache-2.0
// Policing: byte and packet rate of a pinhole. Rates here are so low that nothing is earned back
// while a test runs; what is earned over time is measured by tests/bench.
#include <linux/bpf.h>

#include "common/clock.h"
#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

constexpr size_t kIpBytes = 20 + 8 + 172;

class PolicingTest : public KernelBench {
 protected:
  void OpenWith(MediaRate bytes, MediaRate packets) {
    const PinholeGrant grant{STEM_PEER_ENDPOINT,
                             At("192.0.2.10:4000"),
                             STEM_MEDIA_RTP,
                             7,
                             {.bytes = bytes, .packets = packets}};
    const absl::Status opened = pinholes().Open(kKey, grant, MonotonicNanoseconds());
    ASSERT_TRUE(opened.ok()) << opened;
  }
  PinholeUse Use() { return (*pinholes().Find(kKey))->use; }
  static Packet Media() {
    return Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(4000, 30000) / Rtp({});
  }
  const PinholeKey kKey{At("198.51.100.20:30000"), STEM_SIDE_OUTSIDE};
};

TEST_F(PolicingTest, WithoutARateEverythingPasses) {
  OpenWith({}, {});
  EXPECT_EQ(CountRuns(1000, Media(), "media_relayed"), 1000);
}

TEST_F(PolicingTest, TheBurstPassesToTheByte) {
  OpenWith({1, 5 * kIpBytes}, {});
  EXPECT_EQ(CountRuns(5, Media(), "media_relayed"), 5);
  EXPECT_EQ(CountRuns(5, Media(), "media_too_fast"), 5);
  EXPECT_EQ(Use().packets, 5u);
  EXPECT_EQ(Use().bytes, 5 * kIpBytes);
  EXPECT_EQ(Use().too_fast, 5u);
}

TEST_F(PolicingTest, OneByteLessIsOnePacketLess) {
  OpenWith({1, 5 * kIpBytes - 1}, {});
  EXPECT_EQ(CountRuns(10, Media(), "media_relayed"), 4);
}

TEST_F(PolicingTest, PacketsAreAnAxisOfTheirOwn) {
  OpenWith({}, {1, 3});
  EXPECT_EQ(CountRuns(3, Media(), "media_relayed"), 3);
  EXPECT_EQ(CountRuns(3, Media(), "media_too_many"), 3);
}

TEST_F(PolicingTest, WhatTheByteRateRefusesTakesNothingFromThePacketRate) {
  OpenWith({1, kIpBytes + 100}, {1, 2});
  EXPECT_EQ(CountRuns(1, Media(), "media_relayed"), 1);
  EXPECT_EQ(CountRuns(5, Media(), "media_too_fast"), 5);
  const Packet small =
      Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(4000, 30000) / "0123456789";
  EXPECT_EQ(CountRuns(1, small, "media_relayed"), 1) << "one packet was left";
  EXPECT_EQ(CountRuns(1, small, "media_too_many"), 1);
}

TEST_F(PolicingTest, ANewGrantKeepsTheDebtAndTheCounters) {
  OpenWith({1, 5 * kIpBytes}, {});
  CountRuns(10, Media(), "media_relayed");
  OpenWith({1, 5 * kIpBytes}, {});
  EXPECT_EQ(CountRuns(5, Media(), "media_too_fast"), 5) << "a re-INVITE is no new burst";
  EXPECT_EQ(Use().packets, 5u);
}

TEST_F(PolicingTest, TheFastestRateIsNotRoundedAway) {
  OpenWith({1'250'000'000, 1'000'000}, {});
  const auto pinhole = pinholes().Find(kKey);
  ASSERT_TRUE(pinhole.ok() && pinhole->has_value());
  const MediaRate rate = (*pinhole)->grant.limits.bytes;
  EXPECT_NEAR(static_cast<double>(rate.per_second), 1.25e9, 1.25e9 * 0.001);
  EXPECT_EQ(rate.burst, 1'000'000u);
}

TEST_F(PolicingTest, OffNothingIsPoliced) {
  DataPlaneConfig config = DefaultConfig();
  config.modules[STEM_MODULE_policing] = STEM_MODULE_OFF;
  Load(config);
  OpenWith({1, kIpBytes}, {1, 1});
  EXPECT_EQ(CountRuns(10, Media(), "media_relayed"), 10);
}

TEST_F(PolicingTest, ObservedItIsCountedAndPasses) {
  DataPlaneConfig config = DefaultConfig();
  config.modules[STEM_MODULE_policing] = STEM_MODULE_OBSERVE;
  Load(config);
  OpenWith({1, 4 * kIpBytes}, {});
  EXPECT_EQ(CountRuns(10, Media(), "media_relayed"), 10);
  EXPECT_EQ(Observed("media_too_fast"), 6u);
  EXPECT_EQ(Use().packets, 10u);
}

}  // namespace
}  // namespace stem
