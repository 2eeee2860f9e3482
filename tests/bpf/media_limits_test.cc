// SPDX-License-Identifier: Apache-2.0
// What pinholes allow, shared between those that allow the same: no pinhole may ever be without its
// limits or have another's, whatever opens, changes and closes beside it.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <map>
#include <random>
#include <set>

#include "agent/dataplane/media_limit_table.h"
#include "agent/dataplane/pinhole_index.h"
#include "agent/dataplane/pinned_map.h"
#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

class MediaLimitsTest : public KernelBench {
 protected:
  void LoadChecks() {
    DataPlaneConfig config = DefaultConfig();
    config.modules[STEM_MODULE_rtp_checks] = STEM_MODULE_ON;
    Load(config);
  }
  static PinholeKey Key(int flow) {
    return {At(fmt::format("198.51.100.20:{}", 30000 + flow)), STEM_SIDE_OUTSIDE};
  }
  // Datagrams of at most so many IP bytes.
  absl::Status Open(int flow, uint16_t longest) {
    PinholeGrant grant{STEM_PEER_ANY, {}, STEM_MEDIA_RTP, 7};
    grant.limits.max_length = longest;
    return pinholes().Open(Key(flow), grant, 1);
  }
  // RTP of so many IP bytes, each with the next number.
  std::string Media(int flow, uint16_t length) {
    RtpFields fields;
    fields.sequence = ++sequence_;
    fields.payload = static_cast<size_t>(length - 20 - 8 - 12);
    return Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") /
               Udp(4000, static_cast<uint16_t>(30000 + flow)) / Rtp(fields))
        .reason;
  }
  static UniqueFd Map(const char* name) {
    return *OpenPinnedMap(DataPlane::PinDirectory(Instance()), name);
  }
  // What the kernel sees of a pinhole, as the only one to this port.
  static stem_pinhole Entry(int flow) {
    const auto map = MappedArray<stem_pinhole>::Open(
        OpenPinnedMap(DataPlane::PinDirectory(Instance()), "pinholes")->get(), "pinholes");
    const auto index = MappedArray<stem_pinhole_bucket>::Open(
        OpenPinnedMap(DataPlane::PinDirectory(Instance()), "pinhole_index")->get(), "index");
    for (const uint32_t place : PinholeIndex(index->entries(), map->entries()).Places()) {
      if (map->entries()[place].key.port == 30000 + flow) return map->entries()[place];
    }
    ADD_FAILURE() << "no pinhole " << flow;
    return {};
  }
  uint16_t Longest(int flow) { return (*pinholes().Find(Key(flow)))->grant.limits.max_length; }

 private:
  uint16_t sequence_ = 0;
};

TEST_F(MediaLimitsTest, AreSharedByThoseThatAllowTheSame) {
  LoadChecks();
  ASSERT_TRUE(Open(0, 200).ok());
  ASSERT_TRUE(Open(1, 300).ok());
  ASSERT_TRUE(Open(2, 200).ok());
  EXPECT_EQ(Entry(0).limits, Entry(2).limits);
  EXPECT_NE(Entry(0).limits, Entry(1).limits);
  EXPECT_EQ(Media(0, 201), "media_too_large");
  EXPECT_EQ(Media(1, 201), "media_relayed");
  ASSERT_TRUE(Open(0, 300).ok()) << "a changed grant";
  EXPECT_EQ(Entry(0).limits, Entry(1).limits);
  EXPECT_EQ(Media(0, 201), "media_relayed");
  EXPECT_EQ(Media(2, 201), "media_too_large") << "who shared the old ones keeps them";
}

// Of 16 pinholes none allows what another does, and each is changed over and over.
TEST_F(MediaLimitsTest, EveryPinholeMayHaveItsOwn) {
  LoadChecks();
  std::mt19937 chance(3);
  std::map<int, uint16_t> open;
  uint16_t longest = 200;
  for (int step = 0; step < 1200; ++step) {
    const int flow = static_cast<int>(chance() % 20);
    if (chance() % 4 == 0) {
      ASSERT_TRUE(pinholes().Close(Key(flow)).ok());
      open.erase(flow);
    } else if (Open(flow, ++longest).ok()) {
      open[flow] = longest;
    } else {
      ASSERT_EQ(open.size(), 16u);
      ASSERT_FALSE(open.contains(flow));
    }
    for (const auto& [other, limit] : open) ASSERT_EQ(Longest(other), limit) << step;
  }
  ASSERT_GT(open.size(), 8u);
  for (const auto& [flow, limit] : open) {
    EXPECT_EQ(Media(flow, limit), "media_relayed");
    EXPECT_EQ(Media(flow, limit + 1), "media_too_large");
  }
}

TEST_F(MediaLimitsTest, WhatNobodyUsesIsWrittenOverLate) {
  ASSERT_TRUE(Open(0, 200).ok());
  const uint32_t left = Entry(0).limits;
  ASSERT_TRUE(pinholes().Close(Key(0)).ok());
  const UniqueFd limits = Map("media_limits");
  for (int change = 0; change < 64; ++change) {
    ASSERT_TRUE(Open(1, static_cast<uint16_t>(300 + change)).ok());
    ASSERT_NE(Entry(1).limits, left);
  }
  stem_media_limits entry{};
  ASSERT_EQ(bpf_map_lookup_elem(limits.get(), &left, &entry), 0);
  EXPECT_EQ(entry.max_length, 200) << "for a packet that was on its way";
}

TEST_F(MediaLimitsTest, TheNextAgentKnowsWhoUsesWhat) {
  ASSERT_TRUE(Open(0, 200).ok());
  ASSERT_TRUE(Open(1, 200).ok());
  ASSERT_TRUE(Open(2, 300).ok());
  Load(DefaultConfig());
  ASSERT_TRUE(plane().adopted());
  ASSERT_TRUE(pinholes().Close(Key(0)).ok());
  // More changes than there are entries.
  for (int change = 0; change < 1500; ++change) {
    ASSERT_TRUE(Open(3, static_cast<uint16_t>(400 + change)).ok());
    ASSERT_NE(Entry(3).limits, Entry(1).limits);
    ASSERT_NE(Entry(3).limits, Entry(2).limits);
  }
  EXPECT_EQ(Longest(1), 200);
  EXPECT_EQ(Longest(2), 300);
  ASSERT_TRUE(Open(4, 300).ok());
  EXPECT_EQ(Entry(4).limits, Entry(2).limits) << "those of before are found";
}

TEST_F(MediaLimitsTest, APinholeWithoutThemLetsNothingPass) {
  ASSERT_TRUE(Open(0, 200).ok());
  stem_pinhole entry = Entry(0);
  entry.limits = KernelPinholeTable::PlacesFor(DefaultConfig().max_pinholes);
  ASSERT_EQ(bpf_map_update_elem(Map("pinholes").get(), &entry.place, &entry, BPF_EXIST), 0);
  EXPECT_EQ(Media(0, 100), "no_pinhole");
  EXPECT_EQ(MediaLimitTable::Open(Map("media_limits").get(), {{entry.limits}}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace stem
