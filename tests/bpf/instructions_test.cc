// SPDX-License-Identifier: Apache-2.0
// The security manager's instructions against the real maps and the real pipeline.
#include "agent/external_interface/instructions_in_force.h"

#include <linux/bpf.h>

#include <future>
#include <memory>
#include <optional>

#include "common/clock.h"
#include "stem/v1/firewall.pb.h"
#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

constexpr uint8_t kSyn = 0x02;
constexpr int64_t kMinuteMs = 60'000;
constexpr uint64_t kNsPerMs = 1'000'000;

class InstructionsTest : public KernelBench {
 protected:
  void SetUp() override {
    KernelBench::SetUp();
    if (IsSkipped()) return;
    KernelBench::TearDown();  // a table that is there keeps its size
    config_ = DefaultConfig();
    config_.default_pass = true;
    config_.max_permits = 2;
    config_.syn_guard.permits = true;
    config_.syn_guard.source = {0.001, 5, std::chrono::hours(1)};
    Load(config_);
    StartAgent();
  }
  void TearDown() override {
    StopAgent();
    KernelBench::TearDown();
  }

  void StartAgent() {
    const GuardLimits configured{config_.syn_guard, config_.invite_guard};
    loader_.emplace(configured, [this](const GuardLimits& limits) {
      ++loads_;
      DataPlaneConfig config = config_;
      config.syn_guard = limits.syn;
      config.invite_guard = limits.invite;
      return plane().Reload(config);
    });
    instructions_.emplace(InstructionPorts{table(), permits(), configured, *loader_});
  }
  void StopAgent() {
    loader_.reset();
    instructions_.reset();
  }

  BlockTable table() { return BlockTable(plane().blocks_fd(), plane().block_count_fd()); }
  PermitTable permits() { return PermitTable(plane().permits_fd()); }

  v1::Instruction& Next(int64_t for_ms) {
    v1::Instruction* instruction = policy_.add_instructions();
    instruction->set_id(policy_.instructions_size());
    if (for_ms != 0) instruction->set_until_unix_ms(now_.unix_ms + for_ms);
    return *instruction;
  }
  void InstructBlock(const std::string& source, int64_t for_ms = 0) {
    Next(for_ms).mutable_block()->set_source(source);
  }
  void InstructPermit(uint32_t port, int64_t for_ms = 0) {
    v1::Permit* permit = Next(for_ms).mutable_permit();
    permit->set_source("198.51.100.20");
    permit->set_destination("192.0.2.10");
    permit->set_port(port);
  }
  void InstructSynThreshold(uint32_t burst, int64_t for_ms = 0) {
    v1::Threshold* threshold = Next(for_ms).mutable_threshold();
    threshold->set_name("syn_guard.source");
    threshold->set_rate(1);
    threshold->set_burst(burst);
    threshold->set_penalty_ms(3'600'000);
  }

  // What policy_ says, until all of it is in force.
  void Apply() {
    auto applied = std::make_shared<std::promise<absl::Status>>();
    instructions_->Apply(ReadInstructions(policy_.instructions(), IpAddress()), now_,
                         [applied](const absl::Status& status) { applied->set_value(status); });
    const absl::Status status = applied->get_future().get();
    EXPECT_TRUE(status.ok()) << status;
  }
  void Pass(int64_t ms) {
    now_.monotonic_ns += static_cast<uint64_t>(ms) * kNsPerMs;
    now_.unix_ms += ms;
    instructions_->Tick(now_);
  }

  std::string Out(uint16_t port) {
    return Run(Ethernet() / Ipv4("198.51.100.20", "192.0.2.10") / Tcp(1234, port, kSyn),
               STEM_SIDE_INSIDE)
        .reason;
  }
  std::string Ping(std::string_view from) {
    return Run(Ethernet() / Ipv4(from, "198.51.100.20") / Icmp()).reason;
  }
  int PassedSyns(std::string_view from) {
    return CountRuns(20, Ethernet() / Ipv4(from, "198.51.100.20") / Tcp(1, 80, kSyn),
                     "policy_allowed");
  }

  DataPlaneConfig config_;
  v1::WatchResponse policy_;
  Moment now_ = Moment::Now();
  std::atomic<int> loads_ = 0;
  std::optional<GuardLoader> loader_;
  std::optional<InstructionsInForce> instructions_;
};

TEST_F(InstructionsTest, APermitLetsAConnectionOutUntilItIsTakenBack) {
  EXPECT_EQ(Out(5060), "syn_no_permit");
  InstructPermit(5060);
  Apply();
  EXPECT_EQ(Out(5060), "policy_allowed");
  EXPECT_EQ(permits().List()->front().second.used, 1u);
  policy_.clear_instructions();
  Apply();
  EXPECT_EQ(Out(5060), "syn_no_permit");
  EXPECT_TRUE(permits().List()->empty());
}

TEST_F(InstructionsTest, ThePermitsEndIsTheKernelsBusinessAndItsPlaceBecomesFree) {
  InstructPermit(5060, 1);
  now_.monotonic_ns = 1;  // when the machine started, for a millisecond
  Apply();
  ASSERT_EQ(permits().List()->size(), 1u);
  EXPECT_EQ(Out(5060), "syn_no_permit") << "without the agent's doing";
  Pass(2);
  EXPECT_TRUE(permits().List()->empty());
  EXPECT_EQ(instructions_->FollowedCount(), 0u);
}

TEST_F(InstructionsTest, TheSameInstructionAgainKeepsItsCount) {
  InstructPermit(5060, kMinuteMs);
  Apply();
  Out(5060);
  Apply();
  EXPECT_EQ(permits().List()->front().second.used, 1u);
  policy_.mutable_instructions(0)->set_until_unix_ms(now_.unix_ms + 2 * kMinuteMs);
  Apply();
  const auto permit = permits().List()->front().second;
  EXPECT_EQ(permit.used, 1u);
  EXPECT_EQ(permit.until_ns, now_.monotonic_ns + 2 * kMinuteMs * kNsPerMs);
}

TEST_F(InstructionsTest, AFullTableKeepsWhatIsThereAndTakesTheNextWhenThereIsRoom) {
  InstructPermit(5060, kMinuteMs);
  InstructPermit(5061);
  InstructPermit(5062);
  InstructBlock("192.0.2.66");
  Apply();
  EXPECT_EQ(permits().List()->size(), 2u);
  EXPECT_EQ(Ping("192.0.2.66"), "blocked") << "other instructions are followed";
  ASSERT_EQ(instructions_->refused().size(), 1u);
  EXPECT_EQ(instructions_->refused()[0].id, 3);
  EXPECT_EQ(instructions_->refused()[0].why, "the table is full (limits.permits)");
  EXPECT_EQ(instructions_->FollowedCount(), 3u);
  Pass(1000);
  EXPECT_EQ(instructions_->permits_turned_away(), 1u) << "once, however often it is tried";
  Pass(kMinuteMs);
  EXPECT_TRUE(instructions_->refused().empty());
  EXPECT_EQ(permits().List()->size(), 2u);
}

TEST_F(InstructionsTest, BlocksOfTheOperatorAreLeftAlone) {
  const BlockKey key{*IpAddress::Parse("192.0.2.66"), IpAddress()};
  ASSERT_TRUE(table().Add(STEM_BLOCK_BY_OPERATOR, key, {}).ok());
  InstructBlock("192.0.2.66");
  InstructBlock("192.0.2.67");
  Apply();
  EXPECT_EQ(table().List()->size(), 3u);
  EXPECT_EQ(Ping("192.0.2.67"), "blocked");
  policy_.clear_instructions();
  Apply();
  EXPECT_EQ(Ping("192.0.2.67"), "icmp_passed");
  EXPECT_EQ(Ping("192.0.2.66"), "blocked");
  InstructBlock("192.0.2.66");
  Apply();
  ASSERT_TRUE(table().Remove(STEM_BLOCK_BY_OPERATOR, key).ok());
  EXPECT_EQ(Ping("192.0.2.66"), "blocked");
}

TEST_F(InstructionsTest, AThresholdIsInForceAtOnceAndTheConfiguredOneReturns) {
  EXPECT_EQ(PassedSyns("192.0.2.10"), 5);
  InstructSynThreshold(2, kMinuteMs);
  Apply();
  EXPECT_EQ(PassedSyns("192.0.2.11"), 2);
  EXPECT_EQ(loads_, 1);
  Apply();
  EXPECT_EQ(loads_, 1) << "nothing has changed";
  Pass(kMinuteMs);
  // The loader works aside; what is wanted meanwhile comes after it.
  policy_.clear_instructions();
  Apply();
  EXPECT_EQ(loads_, 2);
  EXPECT_EQ(PassedSyns("192.0.2.12"), 5);
}

TEST_F(InstructionsTest, SeveralThresholdsOfOnePolicyAreOneChange) {
  InstructSynThreshold(2);
  v1::Threshold* other = Next(0).mutable_threshold();
  other->set_name("invite_guard.invite");
  other->set_rate(1);
  other->set_burst(1);
  Apply();
  EXPECT_EQ(loads_, 1);
  EXPECT_EQ(loader_->state().in_force.invite.invite.burst, 1u);
}

TEST_F(InstructionsTest, WhatAnEarlierAgentLeftStaysUntilTheSecurityManagerSpeaks) {
  InstructPermit(5060);
  InstructBlock("192.0.2.66");
  Apply();
  StopAgent();
  StartAgent();
  Pass(5000);
  EXPECT_EQ(Out(5060), "policy_allowed");
  EXPECT_EQ(Ping("192.0.2.66"), "blocked");
  policy_.clear_instructions();
  InstructBlock("192.0.2.67");
  Apply();
  EXPECT_EQ(Out(5060), "syn_no_permit");
  EXPECT_EQ(Ping("192.0.2.66"), "icmp_passed");
  EXPECT_EQ(Ping("192.0.2.67"), "blocked");
}

TEST_F(InstructionsTest, FollowsAClockThatWasSet) {
  InstructBlock("192.0.2.66", kMinuteMs);
  Apply();
  now_.unix_ms -= kMinuteMs;  // two minutes are left now
  Pass(1000);
  EXPECT_EQ(table().List()->front().block.until_ns,
            now_.monotonic_ns + (2 * kMinuteMs - 1000) * kNsPerMs);
  now_.unix_ms += 2 * kMinuteMs;
  Pass(0);
  EXPECT_TRUE(table().List()->empty());
}

}  // namespace
}  // namespace stem
