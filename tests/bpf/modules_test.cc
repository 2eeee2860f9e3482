// SPDX-License-Identifier: Apache-2.0
// Modules: on, observe, off, and changed under traffic; what the rules said of a pinhole's peer.
#include <linux/bpf.h>

#include <atomic>

#include "agent/dataplane/drop_events.h"
#include "agent/pattern_matcher/rule_compiler.h"
#include "tests/bpf/background_traffic.h"
#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

class ModulesTest : public KernelBench {
 protected:
  void Set(stem_module module, stem_module_mode mode) {
    config_.modules[module] = mode;
    const absl::Status reloaded = plane().Reload(config_);
    ASSERT_TRUE(reloaded.ok()) << reloaded;
  }
  static Packet Media() {
    return Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(4000, 30000) / "media";
  }
  static std::shared_ptr<const CompiledRules> Deny(std::string_view source) {
    Rule rule;
    rule.name = "deny";
    rule.action = STEM_RULE_DENY;
    rule.source = Prefix{*IpAddress::Parse(source), 128};
    return CompileRules({&rule, 1}, RuleLimits()).value_or(nullptr);
  }

  DataPlaneConfig config_ = DefaultConfig();
};

TEST_F(ModulesTest, PatternMatcher) {
  config_.rules = Deny("192.0.2.10");
  const Packet denied = Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Icmp();
  const Packet unknown = Ethernet() / Ipv4("192.0.2.11", "198.51.100.20") / Udp(1, 2) / "x";
  Set(STEM_MODULE_pattern_matcher, STEM_MODULE_ON);
  EXPECT_EQ(Run(denied).reason, "rule_denied");
  EXPECT_EQ(Run(unknown).reason, "no_pinhole");
  Set(STEM_MODULE_pattern_matcher, STEM_MODULE_OBSERVE);
  EXPECT_EQ(Run(denied).reason, "icmp_passed");
  EXPECT_EQ(Observed("rule_denied"), 1u);
  EXPECT_EQ(Run(unknown).reason, "policy_allowed");
  EXPECT_EQ(Observed("no_pinhole"), 1u);
  Set(STEM_MODULE_pattern_matcher, STEM_MODULE_OFF);
  EXPECT_EQ(Run(denied).reason, "icmp_passed");
  EXPECT_EQ(Run(unknown).reason, "no_pinhole") << "the default policy is always there";
  EXPECT_EQ(Observed("rule_denied"), 1u);
}

TEST_F(ModulesTest, SynGuard) {
  config_.default_pass = true;
  config_.syn_guard.source = {0.001, 1, std::chrono::hours(1)};
  const Packet syn = Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Tcp(1, 22);
  Set(STEM_MODULE_syn_guard, STEM_MODULE_OBSERVE);
  EXPECT_EQ(CountRuns(3, syn, "policy_allowed"), 3);
  EXPECT_EQ(Observed("syn_rate"), 2u);
  Set(STEM_MODULE_syn_guard, STEM_MODULE_ON);
  EXPECT_EQ(Run(syn).reason, "syn_rate") << "what was counted in observe counts";
  Set(STEM_MODULE_syn_guard, STEM_MODULE_OFF);
  EXPECT_EQ(Run(syn).reason, "policy_allowed");
}

TEST_F(ModulesTest, Relay) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  EXPECT_EQ(Run(Media()).reason, "media_relayed");
  Set(STEM_MODULE_relay, STEM_MODULE_OBSERVE);
  const Bytes frame = Media().Build();
  const Outcome observed = Run(frame);
  EXPECT_EQ(observed.reason, "media_to_stack");
  EXPECT_EQ(observed.out, frame) << "untouched";
  EXPECT_EQ(Observed("media_relayed"), 1u);
  Set(STEM_MODULE_relay, STEM_MODULE_OFF);
  EXPECT_EQ(Run(Media()).reason, "media_to_stack");
  EXPECT_EQ(Observed("media_relayed"), 1u);
}

TEST_F(ModulesTest, AnEventSaysThatItWasObserved) {
  Set(STEM_MODULE_pattern_matcher, STEM_MODULE_OBSERVE);
  Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(1, 2) / "x");
  std::vector<stem_event> seen;
  const auto events =
      DropEvents::Open(plane().events_fd(), [&](const stem_event& e) { seen.push_back(e); });
  ASSERT_TRUE(events.ok());
  ASSERT_TRUE((*events)->Drain().ok());
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].reason, STEM_REASON_no_pinhole);
  EXPECT_EQ(seen[0].observed, 1);
  EXPECT_EQ(seen[0].side, STEM_SIDE_OUTSIDE);
}

TEST_F(ModulesTest, ADenyThatComesLaterStopsAPinholeThatPassed) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  EXPECT_EQ(Run(Media()).reason, "media_relayed");
  EXPECT_EQ(Run(Media()).reason, "media_relayed") << "judged once";
  config_.rules = Deny("192.0.2.10");
  ASSERT_TRUE(plane().Reload(config_).ok());
  EXPECT_EQ(Run(Media()).reason, "rule_denied");
  config_.rules.reset();
  ASSERT_TRUE(plane().Reload(config_).ok());
  EXPECT_EQ(Run(Media()).reason, "media_relayed");
}

TEST_F(ModulesTest, ChangedUnderTrafficNoMediaPacketIsLost) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  const Bytes frame = Media().Build();
  std::atomic<int> lost = 0;
  const BackgroundTraffic traffic([&] {
    for (int i = 0; i < 20; ++i) {
      const uint32_t verdict = RunUncounted(frame);
      if (verdict != XDP_REDIRECT && verdict != XDP_PASS) ++lost;
    }
  });
  for (int i = 0; i < 2; ++i) {
    for (const stem_module_mode mode : {STEM_MODULE_OFF, STEM_MODULE_OBSERVE, STEM_MODULE_ON}) {
      for (const stem_module module : {STEM_MODULE_policing, STEM_MODULE_relay,
                                       STEM_MODULE_pattern_matcher, STEM_MODULE_syn_guard}) {
        Set(module, mode);
        traffic.WaitForABurst();
        ASSERT_EQ(lost, 0) << "module " << module << ", mode " << mode;
      }
    }
  }
}

}  // namespace
}  // namespace stem
