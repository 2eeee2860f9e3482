// SPDX-License-Identifier: Apache-2.0
// Dynamic blocks: sources and streams, with scope and expiry.
#include <linux/bpf.h>

#include "agent/dataplane/block_table.h"
#include "common/clock.h"
#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

constexpr uint64_t kHour = 3'600'000'000'000;
const BlockKey kKey{*IpAddress::Parse("192.0.2.10"), IpAddress()};

class BlocksTest : public KernelBench {
 protected:
  BlockTable table() { return BlockTable(plane().blocks_fd(), plane().block_count_fd()); }
  void Block(std::string_view source, std::string_view destination, uint32_t scope,
             uint64_t until = MonotonicNanoseconds() + kHour,
             stem_block_origin origin = STEM_BLOCK_BY_OPERATOR) {
    const absl::Status added =
        table().Add(origin,
                    {*IpAddress::Parse(source),
                     destination.empty() ? IpAddress() : *IpAddress::Parse(destination)},
                    {scope, until, 0});
    ASSERT_TRUE(added.ok()) << added;
  }
  static Packet Over(Layer layer, std::string_view to = "198.51.100.20") {
    return Ethernet() / Ipv4("192.0.2.10", to) / layer / "x";
  }
};

TEST_F(BlocksTest, ASourceWithEverythingItSends) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  Block("192.0.2.10", "", STEM_BLOCK_ALL);
  EXPECT_EQ(Run(Over(Udp(4000, 30000))).reason, "blocked") << "above the pinhole";
  EXPECT_EQ(Run(Over(Udp(5060, 5060))).reason, "blocked");
  EXPECT_EQ(Run(Over(Tcp(1, 22))).reason, "blocked");
  EXPECT_EQ(Run(Over(Icmp())).reason, "blocked");
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.11", "198.51.100.20") / Icmp()).reason, "icmp_passed");
  const auto blocks = table().List();
  ASSERT_TRUE(blocks.ok());
  ASSERT_EQ(blocks->size(), 1u);
  EXPECT_EQ(blocks->front().block.packets, 4u);
}

TEST_F(BlocksTest, AStreamToOneDestination) {
  Block("192.0.2.10", "198.51.100.20", STEM_BLOCK_ALL);
  EXPECT_EQ(Run(Over(Icmp())).reason, "blocked");
  EXPECT_EQ(Run(Over(Icmp(), "198.51.100.21")).reason, "icmp_passed");
}

TEST_F(BlocksTest, Ipv6) {
  Block("2001:db8:1::10", "", STEM_BLOCK_ALL);
  EXPECT_EQ(Run(Ethernet() / Ipv6("2001:db8:1::10", "2001:db8:2::20") / Icmpv6()).reason,
            "blocked");
  EXPECT_EQ(Run(Ethernet() / Ipv6("2001:db8:1::11", "2001:db8:2::20") / Icmpv6()).reason,
            "icmp_passed");
}

TEST_F(BlocksTest, OnlyWhatTheScopeNames) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  const auto reasons = [&] {
    return std::vector<std::string>{Run(Over(Udp(4000, 30000))).reason,
                                    Run(Over(Udp(4000, 5060))).reason, Run(Over(Tcp(1, 22))).reason,
                                    Run(Over(Icmp())).reason};
  };
  Block("192.0.2.10", "", STEM_BLOCK_MEDIA);
  EXPECT_EQ(reasons(),
            (std::vector<std::string>{"blocked", "agent_down", "policy_denied", "icmp_passed"}));
  Block("192.0.2.10", "", STEM_BLOCK_SIGNALLING);
  EXPECT_EQ(reasons(),
            (std::vector<std::string>{"media_relayed", "blocked", "policy_denied", "icmp_passed"}));
  Block("192.0.2.10", "", STEM_BLOCK_SYN);
  EXPECT_EQ(reasons(),
            (std::vector<std::string>{"media_relayed", "agent_down", "blocked", "icmp_passed"}));
  Block("192.0.2.10", "", STEM_BLOCK_SYN | STEM_BLOCK_MEDIA);
  EXPECT_EQ(reasons(),
            (std::vector<std::string>{"blocked", "agent_down", "blocked", "icmp_passed"}));
}

TEST_F(BlocksTest, AnExpiredOneBlocksNothingAndIsSweptAway) {
  Block("192.0.2.10", "", STEM_BLOCK_ALL, 1);
  Block("192.0.2.11", "", STEM_BLOCK_ALL);
  Block("192.0.2.12", "", STEM_BLOCK_ALL, 0);
  EXPECT_EQ(Run(Over(Icmp())).reason, "icmp_passed");
  ASSERT_TRUE(table().Sweep(MonotonicNanoseconds()).ok());
  const auto left = table().List();
  ASSERT_TRUE(left.ok());
  EXPECT_EQ(left->size(), 2u) << "0 means until it is taken off";
}

TEST_F(BlocksTest, TakenOffItPassesAgain) {
  Block("192.0.2.10", "", STEM_BLOCK_ALL);
  EXPECT_EQ(Run(Over(Icmp())).reason, "blocked");
  const auto removed = table().Remove(STEM_BLOCK_BY_OPERATOR, kKey);
  ASSERT_TRUE(removed.ok());
  EXPECT_TRUE(*removed);
  EXPECT_EQ(Run(Over(Icmp())).reason, "icmp_passed");
}

TEST_F(BlocksTest, TheOperatorsAndTheSecurityManagersStandBesideEachOther) {
  const uint64_t hence = MonotonicNanoseconds() + kHour;
  Block("192.0.2.10", "", STEM_BLOCK_SYN, hence, STEM_BLOCK_BY_OPERATOR);
  Block("192.0.2.10", "", STEM_BLOCK_SIGNALLING, hence, STEM_BLOCK_BY_SM);
  EXPECT_EQ(Run(Over(Tcp(1, 22))).reason, "blocked");
  EXPECT_EQ(Run(Over(Udp(4000, 5060))).reason, "blocked");
  EXPECT_EQ(table().List()->size(), 2u);
  EXPECT_TRUE(*table().Remove(STEM_BLOCK_BY_SM, kKey));
  EXPECT_FALSE(*table().Remove(STEM_BLOCK_BY_SM, kKey)) << "there is none of its own left";
  EXPECT_EQ(Run(Over(Udp(4000, 5060))).reason, "agent_down");
  EXPECT_EQ(Run(Over(Tcp(1, 22))).reason, "blocked") << "the operator's is still there";
  Block("192.0.2.10", "", STEM_BLOCK_ALL, hence, STEM_BLOCK_BY_SM);
  EXPECT_TRUE(*table().Remove(STEM_BLOCK_BY_OPERATOR, kKey));
  EXPECT_EQ(Run(Over(Icmp())).reason, "blocked") << "and the other way round";
  const auto left = table().List();
  ASSERT_EQ(left->size(), 1u);
  EXPECT_EQ(left->front().origin, STEM_BLOCK_BY_SM);
  EXPECT_EQ(left->front().block.packets, 1u) << "counts begin anew with the order";
}

TEST_F(BlocksTest, EachOrderExpiresAlone) {
  Block("192.0.2.10", "", STEM_BLOCK_ALL, 1, STEM_BLOCK_BY_OPERATOR);
  Block("192.0.2.10", "", STEM_BLOCK_SYN, 0, STEM_BLOCK_BY_SM);
  EXPECT_EQ(Run(Over(Icmp())).reason, "icmp_passed");
  EXPECT_EQ(Run(Over(Tcp(1, 22))).reason, "blocked");
  ASSERT_TRUE(table().Sweep(MonotonicNanoseconds()).ok());
  EXPECT_EQ(table().List()->size(), 1u);
  EXPECT_EQ(Run(Over(Tcp(1, 22))).reason, "blocked");
}

TEST_F(BlocksTest, AFullTableRefusesTheNewAndKeepsTheOld) {
  DataPlaneConfig config = DefaultConfig();
  const auto key = [](int i) {
    return BlockKey{
        *IpAddress::Parse("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256)),
        IpAddress()};
  };
  int added = 0;
  absl::Status last;
  for (int i = 0; i < static_cast<int>(config.max_blocks) + 100; ++i) {
    last = table().Add(STEM_BLOCK_BY_OPERATOR, key(i), {STEM_BLOCK_ALL, 0, 0});
    added += last.ok() ? 1 : 0;
  }
  EXPECT_EQ(added, static_cast<int>(config.max_blocks));
  EXPECT_EQ(last.code(), absl::StatusCode::kResourceExhausted) << last;
  EXPECT_EQ(Run(Ethernet() / Ipv4("10.0.0.0", "198.51.100.20") / Icmp()).reason, "blocked");
}

}  // namespace
}  // namespace stem
