// SPDX-License-Identifier: Apache-2.0
// The pipeline in user space (tests/user_space), which the sanitizers and the fuzzers run, does
// what the one in the kernel does: same verdicts, same reasons, same bytes, same tables.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>

#include "agent/dataplane/block_table.h"
#include "agent/dataplane/pipeline.h"
#include "agent/pattern_matcher/rule_compiler.h"
#include "common/clock.h"
#include "stem_pipeline.skel.h"
#include "tests/bpf/kernel_bench.h"
#include "tests/bpf/packet_corpus.h"
#include "tests/user_space/bench_routes.h"
#include "tests/user_space/machine.h"

namespace stem {
namespace {

constexpr uint32_t kOnlyEntry = 0;
constexpr size_t kTcpAt = 34;  // in an IPv4 frame without options

uint32_t Read32(const Bytes& frame, size_t at) {
  return static_cast<uint32_t>(frame[at]) << 24 | frame[at + 1] << 16 | frame[at + 2] << 8 |
         frame[at + 3];
}

// Over TCP and its pseudo header; 0xffff when the checksum is right.
uint16_t TcpSum(const Bytes& frame) {
  uint32_t sum = 6 + 20;
  for (size_t i = 26; i < kTcpAt + 20; i += 2) sum += frame[i] << 8 | frame[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

// A cookie is the kernel's secret: it, what is made of it, and the checksum over both.
Bytes WithoutCookie(Bytes frame) {
  const size_t tcp = frame[12] == 0x08 ? kTcpAt : kTcpAt + 20;
  std::fill_n(frame.begin() + static_cast<long>(tcp) + 4, 8, 0);
  std::fill_n(frame.begin() + static_cast<long>(tcp) + 16, 2, 0);
  return frame;
}

class UserSpaceTest : public KernelBench {
 protected:
  // Everything there is to say no, at rates so low that nothing is earned back during a test.
  DataPlaneConfig Strict() {
    using std::chrono::hours;
    DataPlaneConfig config = DefaultConfig();
    config.modules = kAllModulesOn;
    config.max_pinholes = 64;
    config.syn_guard = {.source = {0.001, 3, hours(1)},
                        .new_sources = {0.001, 4},
                        .destination = {0.001, 6},
                        .permits = true};
    config.invite_guard.invite = {0.001, 3, hours(1)};
    config.invite_guard.other = {0.001, 2, hours(1)};
    config.invite_guard.new_sources = {0.001, 3};
    config.invite_guard.answered = 1;
    config.fragments.early = {0.001, 1};
    config.ssrc_relatch = hours(1);
    config.rules = rules_;
    return config;
  }

  void SetUp() override {
    KernelBench::SetUp();
    if (IsSkipped()) return;
    Rule observe, ssh, deny;
    observe.name = "all";
    observe.action = STEM_RULE_OBSERVE;
    ssh.name = "ssh";
    ssh.action = STEM_RULE_ALLOW;
    ssh.protocol = 6;
    ssh.destination_ports = {22, 22};
    deny.name = "telnet";
    deny.action = STEM_RULE_DENY;
    deny.protocol = 17;
    deny.destination_ports = {23, 60};
    const auto rules = CompileRules(std::vector<Rule>{observe, ssh, deny}, RuleLimits());
    ASSERT_TRUE(rules.ok()) << rules.status();
    rules_ = *rules;
    TearDown();
  }

  // Loads the kernel's pipeline and makes the machine like it, with what its tables hold.
  void Begin(const DataPlaneConfig& config) {
    Load(config);
    for (const CorpusPinhole& one : CorpusPinholes()) {
      for (const bool v6 : {false, true}) OpenCorpusPinhole(one, v6);
    }
    BlockTable blocks(plane().blocks_fd(), plane().block_count_fd());
    const BlockKey blocked{*IpAddress::Parse("192.0.2.66"), IpAddress()};
    ASSERT_TRUE(blocks.Add(STEM_BLOCK_BY_SM, blocked, {}).ok());
    Listen();

    auto loaded = LoadPipeline(config, DataPlane::PinDirectory(Instance()),
                               if_nametoindex("outside0"), if_nametoindex("inside0"));
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    live_ = *std::move(loaded);
    // It is what runs, and no other: what is fixed at load is in part by chance.
    const int program = bpf_program__fd(live_->progs.stem_pipeline);
    ASSERT_EQ(bpf_map_update_elem(bpf_map__fd(live_->maps.pipeline), &kOnlyEntry, &program, 0), 0);
    machine_ = std::make_unique<Machine>();
    if (config.rules != nullptr) {
      in_user_space_ = std::make_unique<UserSpaceRules>(*config.rules);
      machine_->Use(*in_user_space_);
    }
    pipeline_constants& constants = machine_->constants();
#define TAKE(type, name, dimensions)                                    \
  static_assert(sizeof(constants.name) == sizeof(live_->rodata->name)); \
  std::memcpy(&constants.name, &live_->rodata->name, sizeof(constants.name));
    PIPELINE_CONSTANTS(TAKE)
#undef TAKE
    machine_->route = BenchRoutes({if_nametoindex("outside0"), if_nametoindex("inside0")});
    CopyTables();
  }

  void OpenCorpusPinhole(const CorpusPinhole& one, bool v6) {
    const auto at = [v6](const char* v4_host, const char* v6_host, uint16_t port) {
      return Endpoint{*IpAddress::Parse(v6 ? v6_host : v4_host), port};
    };
    PinholeGrant grant{one.match, at("192.0.2.10", "2001:db8:1::10", 4000), one.media, 7};
    grant.limits.extras = one.extras;
    grant.limits.max_length = one.max_length;
    grant.limits.payload_types = {one.payload_types, 0};
    grant.limits.bytes = {one.bytes_per_second, one.burst};
    const absl::Status opened =
        pinholes().Open({at("198.51.100.20", "2001:db8:2::20", one.port), STEM_SIDE_OUTSIDE}, grant,
                        MonotonicNanoseconds());
    ASSERT_TRUE(opened.ok()) << opened;
  }

  using Table = std::map<std::string, std::string>;

  // What a map of the kernel holds; of an array, what is not zero.
  Table KernelTable(const UserSpaceMap& map) {
    const int fd = bpf_object__find_map_fd_by_name(live_->obj, map.shape().name);
    EXPECT_GE(fd, 0) << map.shape().name;
    Table out;
    std::string key(map.shape().key_size, '\0'), value(map.shape().value_size, '\0');
    for (const char* last = nullptr; bpf_map_get_next_key(fd, last, key.data()) == 0;
         last = key.data()) {
      EXPECT_EQ(bpf_map_lookup_elem(fd, key.data(), value.data()), 0) << map.shape().name;
      const bool is_nothing = value.find_first_not_of('\0') == std::string::npos;
      if (map.shape().type == BPF_MAP_TYPE_ARRAY && is_nothing) continue;
      out[key] = value;
    }
    return out;
  }

  static constexpr const char* kTables[] = {
      "pinhole_index", "pinholes",    "pinhole_details",  "media_limits", "blocks",
      "permits",       "syn_sources", "verified_sources", "sip_sources",  "fragments"};

  void CopyTables() {
    for (const char* name : kTables) {
      UserSpaceMap& map = machine_->map(name);
      if (map.shape().type == BPF_MAP_TYPE_ARRAY) {
        map.SetMaxEntries(bpf_map__max_entries(bpf_object__find_map_by_name(live_->obj, name)));
      }
      for (const auto& [key, value] : KernelTable(map)) {
        ASSERT_EQ(map.Update(key.data(), value.data(), BPF_ANY), 0) << name;
      }
    }
    const uint64_t one_block = 1;
    ASSERT_EQ(machine_->map("block_count").Update(&kOnlyEntry, &one_block, BPF_ANY), 0);
    const uint32_t socket = STEM_SIDE_OUTSIDE * STEM_MAX_QUEUES, descriptor = 3;
    ASSERT_EQ(machine_->map("xsks").Update(&socket, &descriptor, BPF_ANY), 0);
  }

  // One packet through both.
  Outcome RunBoth(const std::string& name, const Bytes& frame, stem_side side) {
    const Outcome kernel = Run(frame, side);
    machine_->now_ns = MonotonicNanoseconds();
    const Fate fate = machine_->Run(
        frame, {if_nametoindex(side == STEM_SIDE_OUTSIDE ? "outside0" : "inside0"), 0});
    EXPECT_EQ(static_cast<uint32_t>(fate.verdict), kernel.verdict) << name;
    EXPECT_EQ(fate.counted.size(), 1u) << name;
    if (fate.counted.size() != 1) return kernel;
    EXPECT_EQ(DescribeReason(fate.counted[0].reason).name, kernel.reason) << name;
    EXPECT_EQ(fate.counted[0].side, kernel.side) << name;
    EXPECT_EQ(fate.counted[0].packets, 1u) << name;
    EXPECT_EQ(fate.counted[0].bytes, frame.size()) << name;
    if (kernel.reason == "syn_challenged") {
      EXPECT_EQ(WithoutCookie(fate.out), WithoutCookie(kernel.out)) << name;
    } else {
      EXPECT_EQ(fate.out, kernel.out) << name;
    }
    last_ = fate;
    return kernel;
  }

  // Clocks were read at different moments; all else is the same.
  static void ForgetTimes(const std::string& table, std::string& value) {
    const auto forget = [&](auto edit, auto entry) {
      ASSERT_EQ(value.size(), sizeof(entry));
      std::memcpy(&entry, value.data(), sizeof(entry));
      edit(entry);
      value.assign(reinterpret_cast<const char*>(&entry), sizeof(entry));
    };
    const auto once = [](__u64& time) { time = time != 0 ? 1 : 0; };
    if (table == "pinholes") {
      forget(
          [&](stem_pinhole& one) {
            once(one.last_seen_ns);
            once(one.rtp_seen_ns);
            once(one.bytes_tat);
            once(one.packets_tat);
          },
          stem_pinhole{});
    } else if (table == "syn_sources") {
      forget([&](stem_syn_source& one) { once(one.tat_ns), once(one.penalty_until_ns); },
             stem_syn_source{});
    } else if (table == "sip_sources") {
      forget(
          [&](stem_sip_source& one) {
            for (__u64& time : one.tat_ns) once(time);
            once(one.penalty_until_ns);
          },
          stem_sip_source{});
    } else if (table == "fragments") {
      forget([&](stem_fragment& one) { once(one.until_ns); }, stem_fragment{});
    } else if (table == "verified_sources") {
      forget([&](__u64& until) { once(until); }, __u64{});
    }
  }

  void ExpectSameTables() {
    for (const char* name : kTables) {
      Table kernel = KernelTable(machine_->map(name)), here = machine_->map(name).Contents();
      for (auto& [key, value] : kernel) ForgetTimes(name, value);
      for (auto& [key, value] : here) ForgetTimes(name, value);
      EXPECT_TRUE(kernel == here) << name << " differs: " << kernel.size() << " entries, "
                                  << here.size() << " in user space";
    }
    for (const auto& [name, fd] : {std::pair("counters", plane().counters_fd()),
                                   std::pair("observed", plane().observed_fd())}) {
      const auto kernel = ReadCounters(fd);
      ASSERT_TRUE(kernel.ok()) << kernel.status();
      for (const CounterValue& one : *kernel) {
        const auto side = static_cast<uint32_t>(one.side);
        const auto* here = static_cast<const stem_count*>(machine_->map(name).Lookup(&side));
        EXPECT_EQ(one.packets, here[one.reason].packets)
            << name << " " << DescribeReason(one.reason).name;
      }
    }
  }

  std::shared_ptr<const CompiledRules> rules_;
  std::unique_ptr<UserSpaceRules> in_user_space_;
  PipelinePtr live_;
  std::unique_ptr<Machine> machine_;
  Fate last_;
};

TEST_F(UserSpaceTest, DeclaresEveryMapOfTheProgram) {
  Begin(Strict());
  const bpf_map* map = nullptr;
  size_t maps = 0;
  bpf_object__for_each_map(map, live_->obj) {
    const std::string name = bpf_map__name(map);
    // The verifier's crutch is not needed here (pattern_matcher.h).
    if (bpf_map__is_internal(map) || name == "always_zero") continue;
    ++maps;
    const declared_map& here = machine_->map(name).shape();
    EXPECT_EQ(here.type, bpf_map__type(map)) << name;
    EXPECT_EQ(here.key_size, bpf_map__key_size(map)) << name;
    EXPECT_EQ(here.value_size, bpf_map__value_size(map)) << name;
  }
  EXPECT_EQ(maps, declared_map_count);
}

TEST_F(UserSpaceTest, KnowsEveryConstantOfTheProgram) {
  Begin(Strict());
  std::set<std::string> known;
#define KNOW(type, name, dimensions) known.insert(#name);
  PIPELINE_CONSTANTS(KNOW)
#undef KNOW
  const btf* types = bpf_object__btf(live_->obj);
  const int section = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
  ASSERT_GT(section, 0);
  const btf_type* constants = btf__type_by_id(types, static_cast<uint32_t>(section));
  for (int i = 0; i < btf_vlen(constants); ++i) {
    const btf_type* one = btf__type_by_id(types, btf_var_secinfos(constants)[i].type);
    if (btf_var(one)->linkage == BTF_VAR_STATIC) continue;  // a table of the program's own
    EXPECT_EQ(known.erase(btf__name_by_offset(types, one->name_off)), 1u)
        << btf__name_by_offset(types, one->name_off);
  }
  EXPECT_TRUE(known.empty()) << *known.begin() << " is none any more";
}

// Every packet, under every way to set the modules.
TEST_F(UserSpaceTest, JudgesTheCorpusAsTheKernelDoes) {
  std::map<std::string, int> reasons;
  for (const char* what : {"strict", "observing", "lenient", "challenging", "off"}) {
    SCOPED_TRACE(what);
    DataPlaneConfig config = Strict();
    const std::string_view how = what;
    if (how == "observing") config.modules.fill(STEM_MODULE_OBSERVE);
    if (how == "off") config.modules.fill(STEM_MODULE_OFF);
    if (how == "lenient") {
      config.default_pass = config.agent_down_pass = config.fragments.pass = true;
      config.rules = nullptr;
    }
    if (how == "challenging") config.syn_guard.challenge = true;
    Begin(config);
    for (const CorpusPacket& one : PacketCorpus()) {
      ++reasons[RunBoth(one.name, one.frame, one.side).reason];
    }
    ExpectSameTables();
    live_.reset();
    TearDown();
  }
  EXPECT_GE(reasons.size(), 35u) << "the corpus meets nearly every reason there is";
  RecordProperty("reasons", static_cast<int>(reasons.size()));
}

TEST_F(UserSpaceTest, JudgesWhatIsCutAtEveryByteAsTheKernelDoes) {
  Begin(Strict());
  for (const CorpusPacket& one : PacketCorpus()) {
    if (one.frame.size() > 140) continue;  // of those, the others have all headers
    // The kernel runs no program on less than an Ethernet header.
    for (size_t size = 14; size < one.frame.size(); ++size) {
      RunBoth(one.name + " cut at " + std::to_string(size),
              {one.frame.begin(), one.frame.begin() + static_cast<long>(size)}, one.side);
    }
    if (HasFailure()) return;
  }
  ExpectSameTables();
}

TEST_F(UserSpaceTest, JudgesWhatHasWrongBytesAsTheKernelDoes) {
  Begin(Strict());
  const std::vector<CorpusPacket> corpus = PacketCorpus();
  std::mt19937 chance(20261120);  // NOLINT(cert-msc51-cpp,bugprone-random-generator-seed)
  for (int i = 0; i < 4000; ++i) {
    const CorpusPacket& one = corpus[chance() % corpus.size()];
    Bytes frame = one.frame;
    const size_t headers = std::min<size_t>(frame.size(), 74);
    for (int flips = 1 + static_cast<int>(chance() % 3); flips > 0; --flips) {
      frame[chance() % headers] ^= static_cast<uint8_t>(1 << chance() % 8);
    }
    RunBoth(one.name + " flipped, " + std::to_string(i), frame, one.side);
    if (HasFailure()) return;
  }
  ExpectSameTables();
}

TEST_F(UserSpaceTest, ChallengesAndBelievesWhoMeetsThem) {
  DataPlaneConfig config = Strict();
  config.syn_guard.new_sources = {0.001, 1};
  config.syn_guard.challenge = true;
  config.default_pass = true;
  config.rules = nullptr;
  Begin(config);
  const auto segment = [](std::string_view from, uint8_t flags, uint32_t sequence) {
    return (Ethernet() / Ipv4(from, "198.51.100.20") / Tcp(1234, 5061, flags, sequence)).Build();
  };
  RunBoth("the one new source", segment("192.0.2.20", 0x02, 1), STEM_SIDE_OUTSIDE);
  const Bytes syn = segment("192.0.2.10", 0x02, 1);
  const Outcome challenged = RunBoth("syn", syn, STEM_SIDE_OUTSIDE);
  ASSERT_EQ(challenged.reason, "syn_challenged");
  EXPECT_EQ(TcpSum(challenged.out), 0xffff);
  EXPECT_EQ(TcpSum(last_.out), 0xffff);
  EXPECT_EQ(last_.redirected_to, if_nametoindex("outside0"));
  // Each with its own cookie.
  const uint32_t in_kernel = Read32(challenged.out, kTcpAt + 8);
  const uint32_t here = Read32(last_.out, kTcpAt + 8);
  EXPECT_EQ(Run(segment("192.0.2.10", 0x04, in_kernel)).reason, "syn_challenge_met");
  const Fate met =
      machine_->Run(segment("192.0.2.10", 0x04, here), {if_nametoindex("outside0"), 0});
  ASSERT_EQ(met.counted.size(), 1u);
  EXPECT_EQ(met.counted[0].reason, STEM_REASON_syn_challenge_met);
  EXPECT_EQ(RunBoth("verified", syn, STEM_SIDE_OUTSIDE).reason, "policy_allowed");
  ExpectSameTables();
}

}  // namespace
}  // namespace stem
