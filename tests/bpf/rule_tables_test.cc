// SPDX-License-Identifier: Apache-2.0
// Compiled rule sets in the kernel: verdicts against the plain meaning of the list, counters that
// follow names, and sets swapped under traffic.
#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include "agent/dataplane/rule_tables.h"
#include "agent/pattern_matcher/rule_compiler.h"
#include "fmt/format.h"
#include "tests/bpf/background_traffic.h"
#include "tests/bpf/kernel_bench.h"
#include "tests/rules/rule_generator.h"
#include "tests/rules/subject_frame.h"

namespace stem {
namespace {

class RuleTablesTest : public KernelBench {
 protected:
  DataPlaneConfig With(const std::vector<Rule>& rules) const {
    DataPlaneConfig config = DefaultConfig();
    const auto compiled = CompileRules(rules, RuleLimits());
    EXPECT_TRUE(compiled.ok()) << compiled.status();
    if (compiled.ok()) config.rules = *compiled;
    // As in the agent: room for a set, and for another beside it.
    config.max_rule_slots = std::max<uint32_t>(config.max_rule_slots, 2 * rules.size());
    return config;
  }

  uint64_t Packets(const std::string& name) {
    const auto slots = ReadRuleSlots(plane().rule_slots_fd());
    EXPECT_TRUE(slots.ok() && slots->contains(name)) << name;
    const auto count = ReadRuleCounter(plane().rule_counters_fd(), slots->at(name));
    return count.ok() ? count->packets : 0;
  }

  // A deny is told by its reason; what is not denied may take several ways.
  void ExpectVerdicts(const std::vector<Rule>& rules, int packets, Chance& chance) {
    Load(With(rules));
    for (int i = 0; i < packets; ++i) {
      RuleSubject subject = NearSubject(rules, chance);
      if (!subject.transport) continue;  // a fragment: judged by its first
      const Rule* first = FirstMatch(rules, subject);
      const Outcome outcome = Run(ToFrame(subject), subject.from);
      if (subject.version == 6 && (subject.source.is_v4() || subject.destination.is_v4())) {
        ASSERT_EQ(outcome.reason, "bad_header") << "no rule is asked";
        continue;
      }
      const bool denied = first != nullptr && first->action == STEM_RULE_DENY;
      ASSERT_EQ(outcome.reason == "rule_denied", denied)
          << outcome.reason << " from " << subject.source.ToString() << ":" << subject.source_port
          << " to " << subject.destination.ToString() << ":" << subject.destination_port;
      if (outcome.reason == "rule_allowed") {
        ASSERT_NE(first, nullptr);
        ASSERT_EQ(first->action, STEM_RULE_ALLOW);
      }
    }
  }
};

TEST_F(RuleTablesTest, TheKernelJudgesAsTheListDoes) {
  Chance chance(11);
  for (const size_t size : {1, 40, 300}) {
    ExpectVerdicts(CrowdedRules(size, chance), 40, chance);
    if (HasFatalFailure()) return;
  }
}

TEST_F(RuleTablesTest, TenThousandRulesLoadAndJudge) {
  Chance chance(12);
  ExpectVerdicts(ClassBenchLikeRules(10000, 13), 40, chance);
}

Rule Named(const std::string& name, stem_rule_action action, uint16_t port) {
  Rule rule;
  rule.name = name;
  rule.action = action;
  rule.protocol = 17;
  rule.destination_ports = {port, port};
  return rule;
}

Bytes UdpTo(uint16_t port) {
  return (Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(4000, port) / "x").Build();
}

TEST_F(RuleTablesTest, CountersFollowTheNameThroughReorderingAndReload) {
  const Rule a = Named("a", STEM_RULE_ALLOW, 1000), b = Named("b", STEM_RULE_DENY, 2000);
  Load(With({a, b}));
  Run(UdpTo(1000));
  Run(UdpTo(1000));
  Run(UdpTo(2000));
  Load(With({Named("new", STEM_RULE_DENY, 3000), b, a}));
  Run(UdpTo(1000));
  Run(UdpTo(3000));
  EXPECT_EQ(Packets("a"), 3u);
  EXPECT_EQ(Packets("b"), 1u);
  EXPECT_EQ(Packets("new"), 1u);
}

TEST_F(RuleTablesTest, WhenAllCountersAreTakenThoseOfNamesThatAreGoneAreUsedAgain) {
  const auto with_two = [&](const std::vector<Rule>& rules) {
    DataPlaneConfig config = With(rules);
    config.max_rule_slots = 2;
    return config;
  };
  const Rule a = Named("a", STEM_RULE_ALLOW, 1000), b = Named("b", STEM_RULE_DENY, 2000),
             c = Named("c", STEM_RULE_DENY, 3000);
  Load(with_two({a, b}));
  Run(UdpTo(1000));
  Run(UdpTo(2000));
  Load(with_two({c, a}));
  EXPECT_EQ(Packets("a"), 1u) << "it is still there";
  EXPECT_EQ(Packets("c"), 0u) << "nothing of b's";
  EXPECT_EQ(plane().Reload(with_two({a, b, c})).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Run(UdpTo(3000)).reason, "rule_denied") << "the set before is still in force";
  EXPECT_EQ(Packets("c"), 1u);
}

TEST_F(RuleTablesTest, AnObserverCountsOnlyWhatGetsAsFarAsIt) {
  Load(With({Named("before", STEM_RULE_OBSERVE, 1000), Named("deny", STEM_RULE_DENY, 1000),
             Named("after", STEM_RULE_OBSERVE, 1000)}));
  EXPECT_EQ(Run(UdpTo(1000)).reason, "rule_denied");
  EXPECT_EQ(Packets("before"), 1u);
  EXPECT_EQ(Packets("deny"), 1u);
  EXPECT_EQ(Packets("after"), 0u);
}

TEST_F(RuleTablesTest, InspectTakesSipOnAnotherPortToTheAgent) {
  Load(With({Named("sip", STEM_RULE_INSPECT, 15060)}));
  EXPECT_EQ(Run(UdpTo(15060)).reason, "agent_down");
  EXPECT_EQ(Run(UdpTo(15061)).reason, "no_pinhole");
}

// Set A denies 1000 by its first rule and lets 2000 pass, set B the other way round. In a mixture,
// a packet could meet neither deny or both.
TEST_F(RuleTablesTest, UnderTrafficEveryPacketMeetsOneSetOrTheOther) {
  const auto set = [&](uint16_t denied, uint16_t allowed) {
    std::vector<Rule> rules = ClassBenchLikeRules(2000, denied);
    rules.insert(rules.begin(), Named("allowed", STEM_RULE_ALLOW, allowed));
    rules.insert(rules.begin(), Named("denied", STEM_RULE_DENY, denied));
    return With(rules);
  };
  const DataPlaneConfig a = set(1000, 2000), b = set(2000, 1000);
  Load(a);
  const UniqueFd program = OutsideProgram();
  const Bytes frame = UdpTo(1000);
  xdp_md context{};
  context.data_end = static_cast<uint32_t>(frame.size());
  context.ingress_ifindex = plane().interfaces()[0].index;
  std::atomic<int> failed = 0;
  std::optional<BackgroundTraffic> traffic(std::in_place, [&] {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
                .data_size_in = static_cast<uint32_t>(frame.size()), .ctx_in = &context,
                .ctx_size_in = sizeof(context), .repeat = 5000);
    if (bpf_prog_test_run_opts(program.get(), &options) != 0) ++failed;
  });
  for (int i = 0; i < 6; ++i) {
    traffic->WaitForABurst();
    ASSERT_TRUE(plane().Reload(i % 2 == 0 ? b : a).ok());
  }
  traffic->WaitForABurst();
  traffic.reset();
  ASSERT_EQ(failed, 0);
  uint64_t denied = 0, allowed = 0, all = 0;
  const auto counters = ReadCounters(plane().counters_fd());
  ASSERT_TRUE(counters.ok());
  for (const CounterValue& value : *counters) {
    all += value.packets;
    if (value.reason == STEM_REASON_rule_denied) denied += value.packets;
    if (value.reason == STEM_REASON_rule_allowed) allowed += value.packets;
  }
  EXPECT_GT(denied, 0u);
  EXPECT_GT(allowed, 0u);
  EXPECT_EQ(all, denied + allowed) << "a packet that met neither set";
  EXPECT_EQ(Packets("denied") + Packets("allowed"), all) << "a rule of no set decided";
}

}  // namespace
}  // namespace stem
