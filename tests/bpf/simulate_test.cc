// SPDX-License-Identifier: Apache-2.0
// A simulation says what the live program does, and leaves no trace.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>

#include <filesystem>
#include <map>

#include "agent/dataplane/block_table.h"
#include "agent/dataplane/kernel_tables.h"
#include "agent/pattern_matcher/rule_compiler.h"
#include "common/clock.h"
#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

using Contents = std::map<std::string, std::map<Bytes, Bytes>>;

// What can be read of every pinned map, byte by byte, on every CPU.
Contents Snapshot(const std::string& directory) {
  Contents all;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().filename() == "root") continue;  // a program
    const UniqueFd fd(bpf_obj_get(entry.path().c_str()));
    bpf_map_info info{};
    uint32_t length = sizeof(info);
    if (!fd.valid() || bpf_obj_get_info_by_fd(fd.get(), &info, &length) != 0) {
      ADD_FAILURE() << "cannot read " << entry.path();
      continue;
    }
    const bool per_cpu = info.type == BPF_MAP_TYPE_PERCPU_ARRAY;
    const size_t room =
        per_cpu ? (info.value_size + 7) / 8 * 8 * libbpf_num_possible_cpus() : info.value_size;
    if (info.key_size == 0) continue;  // a ring buffer
    std::map<Bytes, Bytes>& entries = all[entry.path().filename()];
    Bytes key(info.key_size);
    for (const uint8_t* last = nullptr; bpf_map_get_next_key(fd.get(), last, key.data()) == 0;
         last = key.data()) {
      Bytes value(room);
      if (bpf_map_lookup_elem(fd.get(), key.data(), value.data()) == 0) entries[key] = value;
    }
  }
  return all;
}

struct Case {
  const char* name;
  Packet packet;
  stem_side side = STEM_SIDE_OUTSIDE;
};

class SimulateTest : public KernelBench {
 protected:
  void SetUp() override {
    KernelBench::SetUp();
    if (IsSkipped()) return;
    config_ = DefaultConfig();
    config_.modules[STEM_MODULE_rtp_checks] = STEM_MODULE_ON;
    config_.syn_guard.source = {0.001, 2, std::chrono::hours(1)};
    config_.syn_guard.permits = true;
    config_.invite_guard.other = {0.001, 1, std::chrono::hours(1)};
    config_.fragments.pass = true;
    Rule allow;
    allow.name = "tcp";
    allow.action = STEM_RULE_ALLOW;
    allow.protocol = 6;
    config_.rules = CompileRules({&allow, 1}, RuleLimits()).value_or(nullptr);
    ASSERT_NE(config_.rules, nullptr);
    Load(config_);
    OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
    OpenPinhole("198.51.100.20:30002", "192.0.2.10:4002");
    OpenPinhole("[2001:db8:2::20]:30000", "[2001:db8:1::10]:4000");
    BlockTable blocks(plane().blocks_fd(), plane().block_count_fd());
    ASSERT_TRUE(
        blocks.Add(STEM_BLOCK_BY_OPERATOR, {*IpAddress::Parse("192.0.2.66"), IpAddress()}, {})
            .ok());
  }

  Simulation Simulate(const Bytes& frame, stem_side side = STEM_SIDE_OUTSIDE) {
    const auto simulation = plane().Simulate(
        {frame, if_nametoindex(side == STEM_SIDE_OUTSIDE ? "outside0" : "inside0"), 0});
    EXPECT_TRUE(simulation.ok()) << simulation.status();
    return simulation.value_or(Simulation{});
  }

  // Everything there is, each several times: what a packet leaves behind changes what the next
  // meets.
  static std::vector<Case> Corpus() {
    const auto v4 = [](const char* from, Layer layer) {
      return Ethernet() / Ipv4(from, "198.51.100.20") / std::move(layer);
    };
    const auto rtp = [&](uint16_t sequence, uint8_t type = 0, uint32_t ssrc = 7) {
      return v4("192.0.2.10", Udp(4000, 30000)) /
             Rtp({.sequence = sequence, .payload_type = type, .ssrc = ssrc});
    };
    const Packet syn = v4("192.0.2.10", Tcp(1000, 22));
    std::vector<Case> corpus = {
        {"arp", Ethernet() / Arp()},
        {"icmp", v4("192.0.2.10", Icmp())},
        {"blocked", v4("192.0.2.66", Icmp())},
        {"rtp", rtp(1)},
        {"rtp again", rtp(1)},
        {"rtp next", rtp(2)},
        {"rtp of another source", rtp(3, 0, 8)},
        {"rtcp where none belongs", v4("192.0.2.10", Udp(4000, 30000)) / Rtcp(200)},
        {"no rtp", v4("192.0.2.10", Udp(4002, 30002)) / "hello"},
        {"wrong peer", v4("192.0.2.11", Udp(4000, 30000)) / Rtp({})},
        {"ipv6 rtp",
         Ethernet() / Ipv6("2001:db8:1::10", "2001:db8:2::20") / Udp(4000, 30000) / Rtp({})},
        {"no pinhole", v4("192.0.2.10", Udp(1, 2)) / "x"},
        {"inside", Ethernet() / Ipv4("198.51.100.20", "192.0.2.10") / Udp(1, 2) / "x",
         STEM_SIDE_INSIDE},
        {"no permit", Ethernet() / Ipv4("198.51.100.20", "192.0.2.10") / Tcp(1, 5060),
         STEM_SIDE_INSIDE},
        {"vlan", Ethernet() / Vlan(7) / Ipv4("192.0.2.10", "198.51.100.20") / Icmp()},
        {"first fragment",
         Ethernet() / Ipv4("192.0.2.10", "198.51.100.20", {.fragment_field = 0x2000, .id = 9}) /
             Udp(5060, 5060) / "INVITE sip:b"},
        {"later fragment", Ethernet() /
                               Ipv4("192.0.2.10", "198.51.100.20", {.fragment_field = 3, .id = 9}) /
                               Udp(1, 2)},
        {"later without first",
         Ethernet() / Ipv4("192.0.2.10", "198.51.100.20", {.fragment_field = 3, .id = 10}) /
             Udp(1, 2)},
        {"truncated", Ethernet(0x0800)},
        {"other type", Ethernet(0x88cc) / "lldp"},
    };
    for (int i = 0; i < 4; ++i) corpus.push_back({"syn", syn});
    for (int i = 0; i < 3; ++i) {
      corpus.push_back({"options", v4("192.0.2.10", Udp(5060, 5060)) / "OPTIONS sip:x SIP/2.0"});
      corpus.push_back({"invite", v4("192.0.2.12", Udp(5060, 5060)) / "INVITE sip:x SIP/2.0"});
    }
    return corpus;
  }

  DataPlaneConfig config_;
};

TEST_F(SimulateTest, SaysWhatTheLiveProgramThenDoes) {
  Listen();
  for (const Case& one : Corpus()) {
    const Bytes frame = one.packet.Build();
    const Simulation simulated = Simulate(frame, one.side);
    const Outcome real = Run(frame, one.side);
    EXPECT_EQ(DescribeReason(simulated.reason).name, real.reason) << one.name;
    EXPECT_EQ(simulated.action, real.verdict) << one.name;
    EXPECT_EQ(simulated.frame, real.out) << one.name;
  }
}

TEST_F(SimulateTest, LeavesNoTrace) {
  Listen();
  const std::string pins = DataPlane::PinDirectory(Instance());
  // With some state there, so that there is something to disturb.
  for (const Case& one : Corpus()) Run(one.packet.Build(), one.side);
  for (const stem_module_mode mode : {STEM_MODULE_ON, STEM_MODULE_OBSERVE}) {
    for (int module = 1; module < STEM_MODULE_MAX; ++module) config_.modules[module] = mode;
    ASSERT_TRUE(plane().Reload(config_).ok());
    const Contents before = Snapshot(pins);
    for (const char* map : {"pinholes", "syn_sources", "sip_sources", "fragments", "counters"}) {
      ASSERT_GT(before.at(map).size(), 0u) << map;
    }
    for (const Case& one : Corpus()) Simulate(one.packet.Build(), one.side);
    for (const auto& [map, contents] : Snapshot(pins)) {
      EXPECT_TRUE(contents == before.at(map)) << map;
    }
  }
}

TEST_F(SimulateTest, SeesWhatIsKeptInMapsThatAreNotPinned) {
  config_.syn_guard = {};
  config_.syn_guard.destination = {0.001, 1};
  ASSERT_TRUE(plane().Reload(config_).ok());
  const Bytes syn = (Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Tcp(1, 22)).Build();
  EXPECT_EQ(Simulate(syn).reason, STEM_REASON_rule_allowed);
  EXPECT_EQ(Simulate(syn).reason, STEM_REASON_rule_allowed) << "the first took nothing";
  EXPECT_EQ(
      CountRuns(2, Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Tcp(1, 22), "rule_allowed"),
      1);
  EXPECT_EQ(Simulate(syn).reason, STEM_REASON_syn_destination) << "of the live limit";
}

// Found by fuzzing: a simulation counted the answers of the penalty time before.
TEST_F(SimulateTest, KnowsThatANewPenaltyTimeHasItsOwnAnswers) {
  Listen();
  config_.invite_guard.answered = 1;
  config_.invite_guard.invite = {0.001, 1, std::chrono::milliseconds(1)};
  ASSERT_TRUE(plane().Reload(config_).ok());
  const Bytes invite =
      (Ethernet() / Ipv4("192.0.2.12", "198.51.100.20") / Udp(5060, 5060) / "INVITE sip:x SIP/2.0")
          .Build();
  EXPECT_EQ(Run(invite).reason, "sip_to_agent");
  EXPECT_EQ(Run(invite).reason, "sip_rate_to_agent") << "the answer of the first penalty time";
  const uint64_t begun = MonotonicNanoseconds();
  while (MonotonicNanoseconds() - begun < 50'000'000) {  // many ticks of the guard's clock
  }
  EXPECT_EQ(DescribeReason(Simulate(invite).reason).name, "sip_rate_to_agent");
  EXPECT_EQ(Run(invite).reason, "sip_rate_to_agent");
}

TEST_F(SimulateTest, ObservingModulesAreNamed) {
  config_.modules[STEM_MODULE_pattern_matcher] = STEM_MODULE_OBSERVE;
  ASSERT_TRUE(plane().Reload(config_).ok());
  const Simulation simulated =
      Simulate((Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(1, 2) / "x").Build());
  EXPECT_EQ(simulated.reason, STEM_REASON_policy_allowed);
  EXPECT_EQ(simulated.observed, std::vector<stem_reason>{STEM_REASON_no_pinhole});
  EXPECT_EQ(Observed("no_pinhole"), 0u);
}

TEST_F(SimulateTest, AFrameTheKernelDoesNotTakeIsRefused) {
  const unsigned outside = if_nametoindex("outside0");
  EXPECT_EQ(plane().Simulate({Bytes(13), outside, 0}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(plane().Simulate({Bytes(70000), outside, 0}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(plane().Simulate({Bytes(64), outside, 99}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(SimulateTest, TheTablesAreMeasured) {
  auto tables = KernelTables::Open(DataPlane::PinDirectory(Instance()));
  ASSERT_TRUE(tables.ok()) << tables.status();
  ASSERT_TRUE(tables->Measure().ok());
  const auto use = [&](std::string_view name) {
    for (const KernelTableUse& one : tables->uses()) {
      if (one.name == name) return one;
    }
    ADD_FAILURE() << "no table " << name;
    return KernelTableUse{};
  };
  EXPECT_EQ(use("pinholes").used, 3u);
  EXPECT_EQ(use("pinholes").limit, 16u);
  EXPECT_FALSE(use("pinholes").forgets_oldest);
  EXPECT_EQ(use("blocks").used, 1u);
  EXPECT_EQ(use("syn_sources").used, 0u);
  EXPECT_EQ(use("syn_sources").limit, 1024u);
  EXPECT_TRUE(use("syn_sources").forgets_oldest);
  // Linux 6.1 counts the values alone.
  EXPECT_GE(use("syn_sources").memory_kib, 1024 * sizeof(stem_syn_source) / 1024);
  ASSERT_TRUE(pinholes().Close({At("198.51.100.20:30002"), STEM_SIDE_OUTSIDE}).ok());
  ASSERT_TRUE(tables->Measure().ok());
  EXPECT_EQ(use("pinholes").used, 2u);
  EXPECT_EQ(use("pinholes").high_water, 3u);
}

}  // namespace
}  // namespace stem
