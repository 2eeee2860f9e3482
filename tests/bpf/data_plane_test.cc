// SPDX-License-Identifier: Apache-2.0
// The data plane's life: adopted by the next agent, refused when it does not fit, removed whole.
#include <gmock/gmock.h>
#include <linux/bpf.h>
#include <sched.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "agent/dataplane/drop_events.h"
#include "agent/dataplane/kernel_call_store.h"
#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

using ::testing::HasSubstr;

class DataPlaneTest : public KernelBench {};

// The calling thread stays where it is: what is counted on each CPU is counted on one.
class OneCpu {
 public:
  OneCpu() {
    CPU_ZERO(&before_);
    EXPECT_EQ(sched_getaffinity(0, sizeof(before_), &before_), 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    EXPECT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  }
  ~OneCpu() { sched_setaffinity(0, sizeof(before_), &before_); }
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;

 private:
  cpu_set_t before_;
};

TEST_F(DataPlaneTest, ASecondOpenAdoptsPinholesCallsAndCounters) {
  EXPECT_FALSE(plane().adopted());
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  stem_call call{};
  call.state = STEM_CALL_ESTABLISHED;
  ASSERT_TRUE(KernelCallStore(plane().calls_fd()).Save(42, call).ok());

  DataPlaneConfig config = DefaultConfig();
  config.sip_ports = {5080};
  Load(config);
  EXPECT_TRUE(plane().adopted());
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(4000, 30000) / "x").reason,
            "media_relayed");
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(4000, 5080) / "x").reason,
            "agent_down")
      << "the new pipeline is in force";
  const auto calls = KernelCallStore(plane().calls_fd()).LoadAll();
  ASSERT_TRUE(calls.ok()) << calls.status();
  ASSERT_EQ(calls->size(), 1u);
  EXPECT_EQ(calls->front().first, 42u);
  EXPECT_EQ(calls->front().second.state, STEM_CALL_ESTABLISHED);
}

TEST_F(DataPlaneTest, AnotherTableSizeIsRefusedAndChangesNothing) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  DataPlaneConfig config = DefaultConfig();
  config.max_pinholes = 32;
  const auto plane = DataPlane::Open(config);
  EXPECT_EQ(plane.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(plane.status().message()), HasSubstr("holds 16 entries"));
  EXPECT_THAT(std::string(plane.status().message()), HasSubstr("--remove"));
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(4000, 30000) / "x").reason,
            "media_relayed");
}

TEST_F(DataPlaneTest, AForeignProgramIsNamedNotReplaced) {
  DataPlaneConfig config = DefaultConfig();
  Load(config);
  config.name = "bpf-test-second";
  const auto plane = DataPlane::Open(config);
  EXPECT_EQ(plane.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(plane.status().message()), HasSubstr("another XDP program"));
  EXPECT_TRUE(DataPlane::Remove(config.name, {"outside0", "inside0"}).ok());
  EXPECT_EQ(Run(Ethernet() / Arp()).reason, "arp_passed") << "the first instance still runs";
}

TEST_F(DataPlaneTest, AMissingInterfaceIsNamed) {
  DataPlaneConfig config = DefaultConfig();
  config.outside = "nosuch0";
  EXPECT_THAT(std::string(DataPlane::Open(config).status().message()), HasSubstr("'nosuch0'"));
}

TEST_F(DataPlaneTest, RemoveTwiceIsFine) {
  Load(DefaultConfig());
  EXPECT_TRUE(DataPlane::Remove(Instance(), {"outside0", "inside0"}).ok());
  EXPECT_FALSE(std::filesystem::exists(DataPlane::PinDirectory(Instance())));
  EXPECT_TRUE(DataPlane::Remove(Instance(), {"outside0", "inside0", "nosuch0"}).ok());
}

TEST_F(DataPlaneTest, DropsAreReportedWithReasonAddressesAndSide) {
  std::vector<stem_event> seen;
  auto events =
      DropEvents::Open(plane().events_fd(), [&](const stem_event& e) { seen.push_back(e); });
  ASSERT_TRUE(events.ok()) << events.status();
  Run(Ethernet() / Ipv4("192.0.2.66", "198.51.100.20") / Udp(4000, 30000) / "uninvited");
  ASSERT_TRUE((*events)->Drain().ok());
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].reason, STEM_REASON_no_pinhole);
  EXPECT_EQ(seen[0].side, STEM_SIDE_OUTSIDE);
  EXPECT_EQ(IpAddress::FromV6(seen[0].source).ToString(), "192.0.2.66");
  EXPECT_EQ(IpAddress::FromV6(seen[0].destination).ToString(), "198.51.100.20");
  EXPECT_EQ(seen[0].source_port, 4000);
  EXPECT_EQ(seen[0].destination_port, 30000);
  EXPECT_GT(seen[0].time_ns, 0u);
}

TEST_F(DataPlaneTest, EventsAreLimitedPerSecondAndSayWhatTheyHeldBack) {
  DataPlaneConfig config = DefaultConfig();
  config.events_per_second = 3;
  Load(config);
  std::vector<stem_event> seen;
  auto events =
      DropEvents::Open(plane().events_fd(), [&](const stem_event& e) { seen.push_back(e); });
  ASSERT_TRUE(events.ok()) << events.status();
  const Bytes frame = (Ethernet() / Ipv4("192.0.2.66", "198.51.100.20") / Udp(1, 2) / "x").Build();
  uint32_t suppressed = 0;
  // Until a second has gone by and an event tells of the suppressed ones.
  for (int i = 0; i < 1000000 && suppressed == 0; ++i) {
    Run(frame);
    ASSERT_TRUE((*events)->Drain().ok());
    suppressed = seen.empty() ? 0 : seen.back().suppressed;
  }
  EXPECT_GT(suppressed, 0u);
  EXPECT_LT(seen.size(), 50u) << "a flood of drops is no flood of events";
}

TEST_F(DataPlaneTest, ALoneDropAfterAFloodIsReportedWithAllThatWereNot) {
  DataPlaneConfig config = DefaultConfig();
  config.events_per_second = 3;
  Load(config);
  const OneCpu stays;
  std::vector<stem_event> seen;
  auto events =
      DropEvents::Open(plane().events_fd(), [&](const stem_event& e) { seen.push_back(e); });
  ASSERT_TRUE(events.ok()) << events.status();
  const Bytes frame = (Ethernet() / Ipv4("192.0.2.66", "198.51.100.20") / Udp(1, 2) / "x").Build();
  constexpr int kFlood = 10;
  for (int i = 0; i < kFlood; ++i) Run(frame);
  ASSERT_TRUE((*events)->Drain().ok());
  const size_t reported = seen.size();
  EXPECT_LT(reported, 10u);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // the flood's second is over
  Run(frame);
  ASSERT_TRUE((*events)->Drain().ok());
  EXPECT_EQ(seen.size(), reported + 1);
  uint32_t known = 0;
  for (const stem_event& event : seen) known += 1 + event.suppressed;
  EXPECT_EQ(known, kFlood + 1u);
}

TEST_F(DataPlaneTest, AFullCallTableRefuses) {
  KernelCallStore store(plane().calls_fd());
  for (uint64_t id = 1; id <= 16; ++id) ASSERT_TRUE(store.Save(id, stem_call{}).ok());
  EXPECT_EQ(store.Save(17, stem_call{}).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(store.Save(16, stem_call{}).ok()) << "replacing needs no room";
  EXPECT_TRUE(store.Erase(16).ok());
  EXPECT_TRUE(store.Erase(16).ok()) << "erasing nothing is fine";
  EXPECT_TRUE(store.Save(17, stem_call{}).ok());
}

}  // namespace
}  // namespace stem
