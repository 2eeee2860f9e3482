// SPDX-License-Identifier: Apache-2.0
// Fuzzes the kernel's pipeline, compiled for user space: tables and configuration from the input's
// head, then packets, grants, blocks and time, as pipeline_script.h has them. What must hold of
// every packet is in pipeline_oracle.h.
#include <linux/bpf.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "agent/pattern_matcher/rule_compiler.h"
#include "tests/bpf/packet_builder.h"
#include "tests/fuzz/input_reader.h"
#include "tests/fuzz/must_hold.h"
#include "tests/fuzz/pipeline_oracle.h"
#include "tests/fuzz/pipeline_script.h"
#include "tests/rules/rule_generator.h"
#include "tests/user_space/bench_routes.h"

namespace stem {
namespace {

constexpr uint32_t kOutside = 3, kInsideIndex = 4;
constexpr uint32_t kOnlyEntry = 0;
constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kStart = 1000 * kSecond;
// From there on a pinhole's arrival times do not fit 64 bits: 208 days.
constexpr uint64_t kLongest = uint64_t{1} << 53;

constexpr stem_limit kLimits[] = {
    {0, 0, 0},
    {kSecond, 2 * kSecond, 3 * kSecond},
    {kSecond / 100, kSecond / 10, kSecond},
    {3600 * kSecond, 3600 * kSecond, 0},
    {1, 1, 1},
    {kSecond, 0, kSecond},  // nothing conforms
};

const std::array<IpAddress, 8>& Sources() {
  static const std::array<IpAddress, 8> sources = [] {
    std::array<IpAddress, 8> out;
    const char* texts[] = {"192.0.2.10", "2001:db8:1::10", "192.0.2.11",     "2001:db8:1::11",
                           "192.0.2.12", "198.51.100.20",  "2001:db8:2::20", "10.0.0.1"};
    for (size_t i = 0; i < out.size(); ++i) out[i] = *IpAddress::Parse(texts[i]);
    return out;
  }();
  return sources;
}

struct RuleSet {
  std::shared_ptr<const CompiledRules> compiled;
  std::unique_ptr<UserSpaceRules> tables;
};

// None; one of every action; crowded ones.
const std::vector<RuleSet>& RuleSets() {
  static const std::vector<RuleSet> sets = [] {
    Chance chance(1);
    std::vector<Rule> each(4);
    for (size_t i = 0; i < each.size(); ++i) {
      constexpr stem_rule_action kActions[] = {STEM_RULE_OBSERVE, STEM_RULE_DENY, STEM_RULE_INSPECT,
                                               STEM_RULE_ALLOW};
      each[i].name = "rule-" + std::to_string(i);
      each[i].action = kActions[i];
      if (i == 0) continue;
      each[i].protocol = IPPROTO_UDP;
      each[i].destination_ports = {static_cast<uint16_t>(i * 10),
                                   static_cast<uint16_t>(i * 10 + 9)};
    }
    std::vector<RuleSet> out;
    for (const std::vector<Rule>& rules :
         {std::vector<Rule>(), each, CrowdedRules(40, chance), CrowdedRules(300, chance)}) {
      RuleSet& set = out.emplace_back();
      set.compiled = *CompileRules(rules, RuleLimits());
      set.tables = std::make_unique<UserSpaceRules>(*set.compiled);
    }
    return out;
  }();
  return sets;
}

class Script {
 public:
  explicit Script(std::span<const uint8_t> input) : in_(input), oracle_(machine_) {}

  void Run() {
    Configure();
    while (!in_.empty()) Step();
  }

 private:
  void Configure() {
    pipeline_constants& constants = machine_.constants();
    constants.outside_ifindex = kOutside;
    constants.inside_ifindex = kInsideIndex;
    machine_.route = BenchRoutes({kOutside, kInsideIndex});
    machine_.now_ns = kStart;
    const uint8_t switches = in_.Byte();
    constants.default_pass = (switches & kDefaultPass) != 0;
    constants.agent_down_pass = (switches & kAgentDownPass) != 0;
    constants.fragments_pass = (switches & kFragmentsPass) != 0;
    constants.syn_challenge = (switches & kSynChallenge) != 0;
    constants.syn_permits = (switches & kSynPermits) != 0;
    constants.sip_answered = (switches & kSipAnswered) != 0 ? 2 : 0;
    constants.syn_verified_ns = 600 * kSecond;
    if ((switches & kListens) != 0) {
      const uint32_t descriptor = 1;
      for (const uint32_t side : {STEM_SIDE_OUTSIDE, STEM_SIDE_INSIDE}) {
        const uint32_t socket = side * STEM_MAX_QUEUES;
        machine_.map("xsks").Update(&socket, &descriptor, BPF_ANY);
      }
    }
    if ((switches & kSmallTables) != 0) {
      for (const char* name :
           {"blocks", "permits", "syn_sources", "sip_sources", "verified_sources", "fragments"}) {
        machine_.map(name).SetMaxEntries(2);
      }
    }
    machine_.map("media_limits").SetMaxEntries(kPinholes);
    const uint32_t places = (switches & kSmallTables) != 0 ? 2 : kPinholes;
    machine_.map("pinholes").SetMaxEntries(places);
    machine_.map("pinhole_details").SetMaxEntries(places);
    SetModes();
    const uint8_t syn = in_.Byte(), mixed = in_.Byte(), sip = in_.Byte();
    constants.syn_source_limit = Limit(syn);
    constants.syn_new_source_limit = Limit(syn >> 4);
    constants.syn_destination_limit = Limit(mixed);
    std::fill_n(constants.sip_limits, STEM_SIP_CLASS_MAX, Limit(mixed >> 4));
    constants.sip_new_source_limit = Limit(sip);
    constants.early_fragment_limit = Limit(sip >> 4);
  }

  static stem_limit Limit(uint8_t which) { return kLimits[(which & 15) % std::size(kLimits)]; }

  // As the agent loads a pipeline: a set of rules, under a number of its own.
  void SetModes() {
    pipeline_constants& constants = machine_.constants();
    uint16_t modes = in_.Word();
    for (int module = STEM_MODULE_core + 1; module < STEM_MODULE_MAX; ++module, modes >>= 2) {
      constants.module_mode[module] = static_cast<uint8_t>((modes & 3) % 3);
    }
    ++constants.rule_generation;
    machine_.Use(*RuleSets()[in_.Byte() % RuleSets().size()].tables);
  }

  void Step() {
    switch (static_cast<PipelineStep>(in_.Byte() % kSteps)) {
      case PipelineStep::kFrame: {
        const uint8_t arrival = in_.Byte();
        const size_t length = in_.Word() % 2000;
        const std::span<const uint8_t> frame = in_.Bytes(length);
        return Arrive(arrival, {frame.begin(), frame.end()});
      }
      case PipelineStep::kMedia:
        return Media();
      case PipelineStep::kOpen:
        return Open();
      case PipelineStep::kClose: {
        const stem_pinhole_key key = PinholeAt(in_.Byte());
        if (machine_.ClosePinhole(key)) oracle_.Closed(key);
        return;
      }
      case PipelineStep::kTime: {
        const uint64_t step = uint64_t{1} << in_.Byte() % 48;
        if (machine_.now_ns + step < kLongest) machine_.now_ns += step;
        return;
      }
      case PipelineStep::kBlock:
        return Block();
      case PipelineStep::kPermit:
        return Permit();
      case PipelineStep::kSegment:
        return Segment();
      case PipelineStep::kSip:
        return Sip();
      case PipelineStep::kReload:
        return SetModes();
    }
  }

  // Even ones for IPv4, odd ones for IPv6; the last two from inside to outside.
  static bool IsV6(uint8_t pinhole) { return pinhole % 2 == 1; }
  static bool IsFromInside(uint8_t pinhole) { return pinhole % kPinholes >= kPinholes - 2; }
  static const IpAddress& OutsideHost(bool v6) { return Sources()[v6 ? 1 : 0]; }
  static const IpAddress& InsideHost(bool v6) { return Sources()[v6 ? 6 : 5]; }

  static stem_pinhole_key PinholeAt(uint8_t which) {
    stem_pinhole_key key{};
    const IpAddress& to = IsFromInside(which) ? OutsideHost(IsV6(which)) : InsideHost(IsV6(which));
    std::copy(to.bytes.begin(), to.bytes.end(), key.address);
    key.port = static_cast<uint16_t>(30000 + which % kPinholes / 2 * 2);
    key.protocol = IPPROTO_UDP;
    key.from_side = IsFromInside(which) ? STEM_SIDE_INSIDE : STEM_SIDE_OUTSIDE;
    return key;
  }

  // As agent/dataplane/kernel_pinhole_table.cc: counters stay, who talks is found anew.
  void Open() {
    const uint8_t which = in_.Byte();
    const stem_pinhole_key key = PinholeAt(which);
    const stem_pinhole* before = machine_.FindPinhole(key);
    stem_pinhole pinhole{};
    if (before != nullptr) pinhole = *before;
    if (before == nullptr) pinhole.opened_ns = machine_.now_ns;
    const uint8_t kind = in_.Byte(), more = in_.Byte(), type = in_.Byte(), longest = in_.Byte();
    const IpAddress& peer =
        IsFromInside(which) ? InsideHost(IsV6(which)) : OutsideHost(IsV6(which));
    std::fill_n(pinhole.peer_address, 16, 0);
    if ((kind & 0x80) == 0) std::copy(peer.bytes.begin(), peer.bytes.end(), pinhole.peer_address);
    pinhole.peer_port = 4000;
    pinhole.peer_match = kind % 5;
    pinhole.media = 1 + kind / 5 % 4;
    stem_media_limits limits{};
    limits.extras = more & 7;
    limits.bytes = Rate(more >> 3 & 3, 200);
    limits.packets = Rate(more >> 5 & 3, 1);
    if (type != 0) limits.payload_types[type / 64 % 2] = uint64_t{1} << type % 64;
    limits.max_length = static_cast<uint16_t>(longest * 4);
    pinhole.limits = which % kPinholes;
    MUST_HOLD(machine_.map("media_limits").Update(&pinhole.limits, &limits, BPF_ANY) == 0);
    pinhole.rtp_state = 0;
    pinhole.latch = STEM_LATCH_OPEN;
    pinhole.rules_judged = 0;
    pinhole.key = key;
    if (machine_.OpenPinhole(pinhole)) oracle_.Granted(key);
  }

  // Of `size` at once: unlimited; a second for each; a millisecond; a nanosecond.
  static stem_rate Rate(unsigned which, uint64_t size) {
    constexpr uint64_t kCosts[] = {0, kSecond, kSecond / 1000, 1};
    const uint64_t cost = (kCosts[which] << STEM_RATE_SHIFT) / size;
    return {cost, cost * size * 4};
  }

  void Media() {
    const uint8_t arrival = in_.Byte(), which = in_.Byte();
    RtpFields fields;
    fields.sequence = in_.Word();
    const uint8_t kind = in_.Byte();
    fields.ssrc = kind % 4;
    fields.payload_type = in_.Byte();
    fields.payload = in_.Byte();
    std::string payload = kind & 0x10 ? Rtcp(200) : Rtp(fields);
    if ((kind & 0x60) == 0x60) payload = std::string(20, static_cast<char>(fields.payload_type));
    const bool v6 = IsV6(which), out = IsFromInside(which);
    // Now and then from elsewhere.
    const IpAddress& from = kind & 4 ? Sources()[v6 ? 3 : 2]
                            : out    ? InsideHost(v6)
                                     : OutsideHost(v6);
    const uint16_t port = kind & 8 ? 4001 : 4000;
    Send(static_cast<uint8_t>(arrival ^ (out ? kInside : 0)), from,
         out ? OutsideHost(v6) : InsideHost(v6), Udp(port, PinholeAt(which).port), payload);
  }

  void Send(uint8_t arrival, const IpAddress& from, const IpAddress& to, const Layer& transport,
            std::string_view payload) {
    if (from.is_v4()) {
      Arrive(arrival,
             (Ethernet() / Ipv4(from.ToString(), to.ToString()) / transport / payload).Build());
    } else {
      Arrive(arrival,
             (Ethernet() / Ipv6(from.ToString(), to.ToString()) / transport / payload).Build());
    }
  }

  void Block() {
    stem_block_key key{};
    const uint8_t who = in_.Byte();
    const IpAddress& source = Sources()[who % 8];
    std::copy(source.bytes.begin(), source.bytes.end(), key.source);
    if (who & 8) {
      const IpAddress& to = InsideHost(!source.is_v4());
      std::copy(to.bytes.begin(), to.bytes.end(), key.destination);
    }
    UserSpaceMap& blocks = machine_.map("blocks");
    const auto* before = static_cast<const stem_block*>(blocks.Lookup(&key));
    stem_block block = before != nullptr ? *before : stem_block{};
    stem_block_order& order = block.by[who & 16 ? STEM_BLOCK_BY_SM : STEM_BLOCK_BY_OPERATOR];
    order.scope = in_.Byte();
    const uint8_t until = in_.Byte();
    order.until_ns = until & 1 ? machine_.now_ns + until * kSecond : 0;
    if (until & 2) {
      blocks.Erase(&key);
    } else {
      blocks.Update(&key, &block, BPF_ANY);
    }
    const uint64_t count = blocks.size();
    machine_.map("block_count").Update(&kOnlyEntry, &count, BPF_ANY);
  }

  void Permit() {
    stem_permit_key key{};
    const IpAddress& source = Sources()[in_.Byte() % 8];
    std::copy(source.bytes.begin(), source.bytes.end(), key.source);
    const IpAddress& to = OutsideHost(!source.is_v4());
    std::copy(to.bytes.begin(), to.bytes.end(), key.destination);
    key.port = 5060;
    const stem_permit permit{machine_.now_ns + in_.Byte() * kSecond, 0};
    machine_.map("permits").Update(&key, &permit, BPF_ANY);
  }

  void Segment() {
    const uint8_t arrival = in_.Byte();
    const IpAddress& from = Sources()[in_.Byte() % 8];
    constexpr uint16_t kPorts[] = {5060, 22, 80, 10};
    const uint16_t port = kPorts[in_.Byte() % std::size(kPorts)];
    const uint8_t flags = in_.Byte();
    const uint32_t number = in_.Byte() & 1 ? last_cookie_ : 7;
    const bool v6 = !from.is_v4();
    Send(arrival, from, arrival & kInside ? OutsideHost(v6) : InsideHost(v6),
         Tcp(1234, port, flags, number), "");
  }

  void Sip() {
    constexpr std::string_view kTexts[] = {
        "INVITE sip:b", "REGISTER sip:a", "SIP/2.0 200", "BYE sip:b", "INV", ""};
    const uint8_t arrival = in_.Byte();
    const IpAddress& from = Sources()[in_.Byte() % 8];
    const bool v6 = !from.is_v4();
    Send(arrival, from, arrival & kInside ? OutsideHost(v6) : InsideHost(v6), Udp(5060, 5060),
         kTexts[in_.Byte() % std::size(kTexts)]);
  }

  void Arrive(uint8_t arrival, const Bytes& frame) {
    stem_side side = arrival & kInside ? STEM_SIDE_INSIDE : STEM_SIDE_OUTSIDE;
    Arrival at{side == STEM_SIDE_INSIDE ? kInsideIndex : kOutside, arrival & kOtherQueue ? 70u : 0};
    if (arrival & kElsewhere) {
      side = STEM_SIDE_NONE;
      at.ifindex = 9;
    }
    Fate simulated;
    std::array<stem_counters, STEM_SIDE_MAX> observed_before{};
    if (arrival & kSimulated) {
      observed_before = Observed();
      const auto before = machine_.Contents();
      simulated = machine_.DryRun(frame, at);
      MUST_HOLD(machine_.Contents() == before);
      MUST_HOLD(simulated.counted.empty() && simulated.events.empty());
    }
    const Fate fate = machine_.Run(frame, at);
    oracle_.Judge(frame, side, fate);
    if (arrival & kSimulated) {
      MUST_HOLD(simulated.trace.reason == static_cast<uint32_t>(fate.counted.front().reason));
      MUST_HOLD(simulated.verdict == fate.verdict);
      MUST_HOLD(simulated.out == fate.out);
      MUST_HOLD(simulated.redirected_to == fate.redirected_to && simulated.socket == fate.socket);
      JudgeObserved(simulated.trace, observed_before[side], Observed()[side]);
    }
    if (fate.counted.front().reason == STEM_REASON_syn_challenged) {
      const uint8_t* number = &fate.out[fate.out.size() - 20 + 8];
      last_cookie_ =
          static_cast<uint32_t>(number[0]) << 24 | number[1] << 16 | number[2] << 8 | number[3];
    }
  }

  std::array<stem_counters, STEM_SIDE_MAX> Observed() {
    std::array<stem_counters, STEM_SIDE_MAX> out{};
    for (uint32_t side = 0; side < STEM_SIDE_MAX; ++side) {
      std::memcpy(&out[side], machine_.map("observed").Lookup(&side), sizeof(out[side]));
    }
    return out;
  }

  // A simulation names what the live program counts.
  static void JudgeObserved(const stem_trace& trace, const stem_counters& before,
                            const stem_counters& after) {
    const auto* was = reinterpret_cast<const stem_count*>(&before);
    const auto* is = reinterpret_cast<const stem_count*>(&after);
    for (unsigned reason = 0; reason < STEM_REASON_MAX; ++reason) {
      const bool named = (trace.observed[reason / 64] >> reason % 64 & 1) != 0;
      MUST_HOLD(named == (is[reason].packets != was[reason].packets));
    }
  }

  InputReader in_;
  Machine machine_;
  PipelineOracle oracle_;
  uint32_t last_cookie_ = 0;
};

}  // namespace
}  // namespace stem

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  stem::Script({data, size}).Run();
  return 0;
}
