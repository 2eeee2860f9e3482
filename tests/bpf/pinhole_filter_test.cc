// SPDX-License-Identifier: Apache-2.0
// The filter in front of the pinholes: it may send a packet to the table in vain, but it must never
// hide an open pinhole, and must forget the closed ones.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <bit>
#include <random>
#include <set>

#include "agent/dataplane/pinhole_filter.h"
#include "agent/dataplane/pinned_map.h"
#include "bpf/pinhole_hash.h"
#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

class PinholeFilterTest : public KernelBench {
 protected:
  static PinholeKey Key(int flow, stem_side from) {
    const char* to = flow % 3 == 0 ? "[2001:db8:2::20]" : "198.51.100.20";
    return {At(fmt::format("{}:{}", to, 30000 + flow)), from};
  }
  static Packet Media(int flow) {
    const auto port = static_cast<uint16_t>(30000 + flow);
    if (flow % 3 == 0) {
      return Ethernet() / Ipv6("2001:db8:1::10", "2001:db8:2::20") / Udp(4000, port) / "x";
    }
    return Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(4000, port) / "x";
  }
  absl::Status Open(int flow, stem_side from = STEM_SIDE_OUTSIDE) {
    return pinholes().Open(Key(flow, from), {STEM_PEER_ANY, {}, STEM_MEDIA_UDP, 7}, 1);
  }

  UniqueFd Map() const {
    return *OpenPinnedMap(DataPlane::PinDirectory(Instance()), "pinhole_filter");
  }
  std::vector<uint64_t> Words() const {
    const UniqueFd map = Map();
    std::vector<uint64_t> words(PinholeFilter::WordsFor(DefaultConfig().max_pinholes));
    for (uint32_t i = 0; i < words.size(); ++i) {
      EXPECT_EQ(bpf_map_lookup_elem(map.get(), &i, &words[i]), 0);
    }
    return words;
  }
  bool IsEmpty() const {
    const std::vector<uint64_t> words = Words();
    return std::all_of(words.begin(), words.end(), [](uint64_t word) { return word == 0; });
  }
};

// 16 pinholes share 128 bits here, so that some of them share one.
TEST_F(PinholeFilterTest, NoOpenPinholeIsHiddenWhateverElseOpensAndCloses) {
  std::mt19937 chance(11);
  std::set<int> open;
  int shared = 0;
  for (int step = 0; step < 400; ++step) {
    const int flow = static_cast<int>(chance() % 200);
    if (open.contains(flow)) {
      ASSERT_TRUE(pinholes().Close(Key(flow, STEM_SIDE_OUTSIDE)).ok());
      open.erase(flow);
    } else if (open.size() < 16) {
      ASSERT_TRUE(Open(flow).ok());
      open.insert(flow);
    }
    size_t bits = 0;
    for (const uint64_t word : Words()) bits += static_cast<size_t>(std::popcount(word));
    ASSERT_LE(bits, open.size());
    shared += bits < open.size();
    for (const int other : open) ASSERT_NE(RunUncounted(Media(other).Build()), uint32_t{XDP_DROP});
    ASSERT_EQ(RunUncounted(Media(flow).Build()) == uint32_t{XDP_DROP}, !open.contains(flow));
  }
  EXPECT_GT(shared, 0) << "no two pinholes ever had one bit: this test shows little";
}

TEST_F(PinholeFilterTest, ClosingTheLastPinholeClearsItsBit) {
  Load(DefaultConfig());
  EXPECT_TRUE(IsEmpty());
  ASSERT_TRUE(Open(1).ok());
  ASSERT_TRUE(Open(1).ok()) << "a changed grant";
  ASSERT_TRUE(Open(2, STEM_SIDE_INSIDE).ok());
  EXPECT_FALSE(IsEmpty());
  ASSERT_TRUE(pinholes().Close(Key(1, STEM_SIDE_OUTSIDE)).ok());
  ASSERT_TRUE(pinholes().Close(Key(1, STEM_SIDE_OUTSIDE)).ok()) << "closed already";
  ASSERT_TRUE(pinholes().Close(Key(2, STEM_SIDE_INSIDE)).ok());
  EXPECT_TRUE(IsEmpty());
}

TEST_F(PinholeFilterTest, APinholeThatFoundNoRoomLeavesNoBit) {
  for (int flow = 0; flow < 16; ++flow) ASSERT_TRUE(Open(flow).ok());
  const std::vector<uint64_t> before = Words();
  for (int flow = 100; flow < 200; ++flow) {
    ASSERT_EQ(Open(flow).code(), absl::StatusCode::kResourceExhausted);
    ASSERT_EQ(Words(), before);
  }
}

TEST_F(PinholeFilterTest, TheNextAgentMakesItRightAgain) {
  ASSERT_TRUE(Open(1).ok());
  ASSERT_TRUE(Open(3).ok());
  const std::vector<uint64_t> right = Words();
  const UniqueFd map = Map();
  // As an agent leaves it that is killed between a bit and its pinhole, and one that had no filter.
  for (const uint64_t wrong : {~uint64_t{0}, uint64_t{0}}) {
    for (uint32_t i = 0; i < right.size(); ++i) {
      ASSERT_EQ(bpf_map_update_elem(map.get(), &i, &wrong, BPF_ANY), 0);
    }
    Load(DefaultConfig());
    ASSERT_TRUE(plane().adopted());
    EXPECT_EQ(Words(), right);
    EXPECT_NE(RunUncounted(Media(1).Build()), uint32_t{XDP_DROP});
    EXPECT_NE(RunUncounted(Media(3).Build()), uint32_t{XDP_DROP});
  }
  ASSERT_TRUE(pinholes().Close(Key(1, STEM_SIDE_OUTSIDE)).ok());
  ASSERT_TRUE(pinholes().Close(Key(3, STEM_SIDE_OUTSIDE)).ok());
  EXPECT_TRUE(IsEmpty()) << "the next agent knows how many pinholes have a bit";
}

// Sequential addresses and ports, as the media of a real server: no more than a few flows in a
// hundred may be looked up in vain beyond what the bits that are set stand for.
TEST_F(PinholeFilterTest, SpreadsLikeAddressesAndPorts) {
  constexpr uint32_t kPinholes = 4096;
  const uint32_t words = PinholeFilter::WordsFor(kPinholes);
  const uint32_t shift = PinholeFilter::ShiftFor(words);
  std::set<uint64_t> bits;
  for (uint32_t i = 0; i < kPinholes; ++i) {
    const IpAddress to = At(fmt::format("198.51.100.{}:1", i % 16)).address;
    __u64 address[2];
    std::copy_n(to.bytes.begin(), 16, reinterpret_cast<uint8_t*>(address));
    bits.insert(stem_pinhole_hash(address, static_cast<uint16_t>(10000 + 2 * (i / 16)), 1) >>
                shift);
  }
  // Random bits would come to 32,768 x (1 - e^(-1/8)) = 3,850.
  EXPECT_GT(bits.size(), 3700u);
}

}  // namespace
}  // namespace stem
