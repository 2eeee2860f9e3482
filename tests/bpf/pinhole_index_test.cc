// SPDX-License-Identifier: Apache-2.0
// The index of the pinholes, written by the agent while the kernel reads it: it must never hide an
// open pinhole, whatever its bucket holds besides, and must forget the closed ones.
#include "agent/dataplane/pinhole_index.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <bit>
#include <map>
#include <random>
#include <set>

#include "agent/dataplane/pinned_map.h"
#include "bpf/pinhole_hash.h"
#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

class PinholeIndexTest : public KernelBench {
 protected:
  static PinholeKey Key(int flow, stem_side from = STEM_SIDE_OUTSIDE) {
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
  bool IsFound(int flow) { return RunUncounted(Media(flow).Build()) != uint32_t{XDP_DROP}; }

  MappedArray<stem_pinhole_bucket> Map() {
    (void)plane();  // is loaded
    return *MappedArray<stem_pinhole_bucket>::Open(
        OpenPinnedMap(DataPlane::PinDirectory(Instance()), "pinhole_index")->get(),
        "pinhole_index");
  }
  std::vector<stem_pinhole_bucket> Buckets() {
    const auto map = Map();
    return {map.entries().begin(), map.entries().end() - 1};
  }
  bool IsEmpty() {
    const stem_pinhole_bucket nothing{};
    const auto buckets = Buckets();
    return std::all_of(buckets.begin(), buckets.end(), [&](const stem_pinhole_bucket& one) {
      return std::memcmp(&one, &nothing, sizeof(one)) == 0;
    });
  }
  // So many flows that are at home in the first bucket.
  std::vector<int> FlowsOfOneBucket(size_t count) {
    const auto map = Map();
    const auto buckets = static_cast<uint64_t>(map.entries().size() - 1);
    __u64 keys[STEM_PINHOLE_HASH_KEYS];
    stem_pinhole_hash_keys(map.entries().back().marks, keys);
    std::vector<int> flows;
    for (int flow = 0; flows.size() < count; ++flow) {
      const IpAddress to = Key(flow).destination.address;
      __u64 address[2];
      std::copy_n(to.bytes.begin(), 16, reinterpret_cast<uint8_t*>(address));
      const uint64_t hash =
          stem_pinhole_hash(address, static_cast<uint16_t>(30000 + flow), STEM_SIDE_OUTSIDE, keys);
      if (hash >> (64 - std::countr_zero(buckets)) == 0) flows.push_back(flow);
    }
    return flows;
  }
};

// All 16 want into one bucket of 14: some lie beside it, and come and go like the others.
TEST_F(PinholeIndexTest, NoOpenPinholeIsHiddenWhateverElseOpensAndCloses) {
  const std::vector<int> flows = FlowsOfOneBucket(40);
  std::mt19937 chance(11);
  std::set<int> open;
  int overflowed = 0;
  for (int step = 0; step < 600; ++step) {
    const int flow = flows[chance() % flows.size()];
    if (open.contains(flow) && chance() % 3 == 0) {
      ASSERT_TRUE(Open(flow).ok()) << "a changed grant";
    } else if (open.contains(flow)) {
      ASSERT_TRUE(pinholes().Close(Key(flow)).ok());
      open.erase(flow);
    } else if (open.size() < 16) {
      ASSERT_TRUE(Open(flow).ok());
      open.insert(flow);
    }
    overflowed += (Buckets()[0].marks & STEM_BUCKET_OVERFLOWS) != 0;
    for (const int other : open) ASSERT_TRUE(IsFound(other)) << step;
    ASSERT_EQ(IsFound(flow), open.contains(flow));
    ASSERT_EQ(pinholes().List()->size(), open.size());
  }
  EXPECT_GT(overflowed, 20) << "this test shows little";
  EXPECT_LT(overflowed, 580) << "this test shows little";
  for (const int flow : open) ASSERT_TRUE(pinholes().Close(Key(flow)).ok());
  EXPECT_TRUE(IsEmpty());
}

TEST_F(PinholeIndexTest, ABucketAndTheOneBesideAreFull) {
  DataPlaneConfig config = DefaultConfig();
  config.max_pinholes = 32;
  Load(config);
  const std::vector<int> flows = FlowsOfOneBucket(29);
  for (size_t i = 0; i < 28; ++i) ASSERT_TRUE(Open(flows[i]).ok()) << i;
  EXPECT_EQ(Open(flows[28]).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(IsFound(flows[28]));
  for (size_t i = 0; i < 28; ++i) EXPECT_TRUE(IsFound(flows[i]));
  EXPECT_EQ(pinholes().List()->size(), 28u);
  ASSERT_TRUE(pinholes().Close(Key(flows[3])).ok());
  EXPECT_TRUE(Open(flows[28]).ok());
  EXPECT_TRUE(IsFound(flows[28]));
}

TEST_F(PinholeIndexTest, ClosingTheLastPinholeLeavesNothing) {
  Load(DefaultConfig());
  EXPECT_TRUE(IsEmpty());
  ASSERT_TRUE(Open(1).ok());
  ASSERT_TRUE(Open(1).ok()) << "a changed grant";
  ASSERT_TRUE(Open(2, STEM_SIDE_INSIDE).ok());
  EXPECT_FALSE(IsEmpty());
  ASSERT_TRUE(pinholes().Close(Key(1)).ok());
  ASSERT_TRUE(pinholes().Close(Key(1)).ok()) << "closed already";
  ASSERT_TRUE(pinholes().Close(Key(2, STEM_SIDE_INSIDE)).ok());
  EXPECT_TRUE(IsEmpty());
}

TEST_F(PinholeIndexTest, APinholeThatFoundNoRoomLeavesNothing) {
  for (int flow = 0; flow < 16; ++flow) ASSERT_TRUE(Open(flow).ok());
  const std::vector<stem_pinhole_bucket> before = Buckets();
  for (int flow = 100; flow < 200; ++flow) {
    ASSERT_EQ(Open(flow).code(), absl::StatusCode::kResourceExhausted);
    const std::vector<stem_pinhole_bucket> after = Buckets();
    ASSERT_EQ(std::memcmp(before.data(), after.data(), before.size() * sizeof(before[0])), 0);
  }
  ASSERT_TRUE(Open(3).ok()) << "to change one needs no room";
}

// A place is used again as late as can be: a packet may be on its way through it.
TEST_F(PinholeIndexTest, APlaceThatCameFreeRests) {
  const auto map = *MappedArray<stem_pinhole>::Open(
      [&] {
        (void)plane();
        return OpenPinnedMap(DataPlane::PinDirectory(Instance()), "pinholes");
      }()
          ->get(),
      "pinholes");
  const auto place = [&](int flow) {
    for (uint32_t i = 0; i < map.entries().size(); ++i) {
      if (map.entries()[i].key.port == 30000 + flow) return i;
    }
    return ~0u;
  };
  for (int flow = 0; flow < 16; ++flow) ASSERT_TRUE(Open(flow).ok());
  const uint32_t left = place(7);
  ASSERT_TRUE(pinholes().Close(Key(7)).ok());
  for (int flow = 100; flow < 164; ++flow) {
    ASSERT_TRUE(Open(flow).ok());
    ASSERT_EQ(place(7), left) << "still as it was";
    ASSERT_TRUE(pinholes().Close(Key(flow)).ok());
  }
}

TEST_F(PinholeIndexTest, TheNextAgentMakesItRightAgain) {
  ASSERT_TRUE(Open(1).ok());
  ASSERT_TRUE(Open(3).ok());
  const std::vector<stem_pinhole_bucket> right = Buckets();
  // As an agent leaves it that is killed between the marks and the rest.
  for (const uint64_t wrong : {~uint64_t{0}, uint64_t{0}}) {
    const auto map = Map();
    for (stem_pinhole_bucket& bucket : map.entries().first(right.size())) bucket.marks = wrong;
    Load(DefaultConfig());
    ASSERT_TRUE(plane().adopted());
    const std::vector<stem_pinhole_bucket> now = Buckets();
    EXPECT_EQ(std::memcmp(right.data(), now.data(), right.size() * sizeof(right[0])), 0);
    EXPECT_TRUE(IsFound(1) && IsFound(3));
  }
  ASSERT_TRUE(pinholes().Close(Key(1)).ok());
  ASSERT_TRUE(pinholes().Close(Key(3)).ok());
  EXPECT_TRUE(IsEmpty());
}

// Also with a full table, when every place that comes free is needed again soon.
TEST_F(PinholeIndexTest, ChangesWithoutEnd) {
  for (int flow = 0; flow < 16; ++flow) ASSERT_TRUE(Open(flow).ok());
  for (int change = 0; change < 5000; ++change) ASSERT_TRUE(Open(change % 16).ok()) << change;
  for (int flow = 0; flow < 16; ++flow) EXPECT_TRUE(IsFound(flow)) << flow;
  EXPECT_EQ(pinholes().List()->size(), 16u);
}

TEST_F(PinholeIndexTest, WhatIsNoPinholeOfItsBucketIsToldToTheNextAgent) {
  ASSERT_TRUE(Open(1).ok());
  const auto map = Map();
  uint32_t* slot = nullptr;
  for (stem_pinhole_bucket& bucket : map.entries().first(map.entries().size() - 1)) {
    for (uint32_t& one : bucket.slot) {
      if (one != 0) slot = &one;
    }
  }
  ASSERT_NE(slot, nullptr);
  // No place; a place without a pinhole; another tag; the same place twice.
  const uint32_t right = *slot;
  for (const auto& [at, wrong] : {std::pair(slot + 1, 0x7fffffu), std::pair(slot + 1, 9u),
                                  std::pair(slot, right ^ 0x1000000), std::pair(slot + 1, right)}) {
    const uint32_t before = *at;
    *at = wrong;
    const auto opened = DataPlane::Open(DefaultConfig());
    EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition) << wrong;
    EXPECT_NE(opened.status().message().find("--remove"), std::string::npos) << opened.status();
    *at = before;
    EXPECT_TRUE(IsFound(1)) << "what runs goes on";
  }
}

// Whoever owns a network, and knows the hash but not its seed, cannot choose keys that meet.
TEST_F(PinholeIndexTest, NoFamilyOfKeysMeets) {
  for (const uint64_t seed : {0x1ull, 0xffffffffull, 0xfeedface00000000ull, 0x123456789abcdefull}) {
    __u64 keys[STEM_PINHOLE_HASH_KEYS];
    stem_pinhole_hash_keys(seed, keys);
    std::set<uint64_t> hashes;
    for (uint32_t i = 0; i < 256; ++i) {
      const auto port = static_cast<uint16_t>(10000 + i);
      const __u64 address[2] = {0x200db80120, uint64_t{port} << 16 | uint64_t{port} << 32};
      hashes.insert(stem_pinhole_hash(address, port, 1, keys) >> 32);
    }
    EXPECT_EQ(hashes.size(), 256u) << seed;
  }
}

// Sequential addresses and ports, as the media of a real server, under any seed: buckets fill as by
// chance (of 1,024 with four each, 3 with more than ten).
TEST_F(PinholeIndexTest, SpreadsLikeAddressesAndPorts) {
  constexpr uint32_t kPinholes = 4096;
  for (uint64_t seed = 1; seed < 40; ++seed) {
    __u64 keys[STEM_PINHOLE_HASH_KEYS];
    stem_pinhole_hash_keys(seed, keys);
    std::map<uint64_t, int> buckets;
    for (uint32_t i = 0; i < kPinholes; ++i) {
      const IpAddress to = At(fmt::format("198.51.100.{}:1", i % 16)).address;
      __u64 address[2];
      std::copy_n(to.bytes.begin(), 16, reinterpret_cast<uint8_t*>(address));
      ++buckets[stem_pinhole_hash(address, static_cast<uint16_t>(10000 + 2 * (i / 16)), 1, keys) >>
                PinholeIndex::ShiftFor(kPinholes)];
    }
    const auto crowded = std::count_if(buckets.begin(), buckets.end(),
                                       [](const auto& one) { return one.second > 10; });
    EXPECT_LT(crowded, 20) << seed;
  }
}

}  // namespace
}  // namespace stem
