// SPDX-License-Identifier: Apache-2.0
// SYN guard: per source, all new sources, per destination, the challenge, outbound permits.
#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <thread>

#include "common/clock.h"
#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

constexpr uint8_t kSyn = 0x02, kAck = 0x10, kRst = 0x04;

class SynGuardTest : public KernelBench {
 protected:
  // Rates so low that nothing is earned back while a test runs.
  DataPlaneConfig Guarded() {
    DataPlaneConfig config = DefaultConfig();
    config.default_pass = true;
    config.syn_guard.source = {0.001, 5, std::chrono::hours(1)};
    config.syn_guard.new_sources = {0.001, 1000};
    config.syn_guard.destination = {0.001, 1000};
    return config;
  }
  static Packet Segment(std::string_view from, uint8_t flags, uint32_t sequence = 0,
                        uint16_t to = 5061) {
    return Ethernet() / Ipv4(from, "198.51.100.20") / Tcp(1234, to, flags, sequence);
  }
  static Packet Segment6(std::string_view from, uint8_t flags, uint32_t sequence = 0) {
    return Ethernet() / Ipv6(from, "2001:db8:2::20") / Tcp(1234, 5061, flags, sequence);
  }
  static std::string Spoofed(int i) {
    return "10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256);
  }
};

TEST_F(SynGuardTest, ASourceAboveItsThresholdIsSilenced) {
  Load(Guarded());
  EXPECT_EQ(CountRuns(5, Segment("192.0.2.10", kSyn), "policy_allowed"), 5);
  EXPECT_EQ(CountRuns(5, Segment("192.0.2.10", kSyn), "syn_rate"), 5);
  EXPECT_EQ(Run(Segment("192.0.2.11", kSyn)).reason, "policy_allowed") << "others are not";
  EXPECT_EQ(Run(Segment("192.0.2.10", kAck)).reason, "policy_allowed")
      << "connections that exist go on";
  EXPECT_EQ(Run(Segment("192.0.2.10", kSyn | kAck)).reason, "policy_allowed");
  EXPECT_EQ(CountRuns(5, Segment6("2001:db8:1::10", kSyn), "policy_allowed"), 5);
  EXPECT_EQ(Run(Segment6("2001:db8:1::10", kSyn)).reason, "syn_rate");
}

TEST_F(SynGuardTest, AfterThePenaltyItIsForgiven) {
  DataPlaneConfig config = Guarded();
  config.syn_guard.source = {1e6, 5, std::chrono::milliseconds(200)};
  Load(config);
  const Bytes frame = Segment("192.0.2.10", kSyn).Build();
  // A million a second cannot be exceeded one packet at a time; twice five at once can.
  const auto deadline = MonotonicNanoseconds() + 10'000'000'000;
  bool refused = false;
  while (!refused && MonotonicNanoseconds() < deadline) refused = Run(frame).reason == "syn_rate";
  ASSERT_TRUE(refused);
  bool forgiven = false;
  while (!forgiven && MonotonicNanoseconds() < deadline) {
    forgiven = Run(frame).reason == "policy_allowed";
  }
  EXPECT_TRUE(forgiven);
}

// What is remembered of a source outlives the limit it was made under.
TEST_F(SynGuardTest, AnotherLimitEndsPenaltiesThatItWouldNotHaveGiven) {
  using std::chrono::hours;
  for (const GuardLimit& milder : {GuardLimit{1000, 10, std::chrono::seconds(1)},
                                   GuardLimit{1000, 10, {}}, GuardLimit{0, 0, {}}}) {
    DataPlaneConfig config = Guarded();
    Load(config);
    CountRuns(6, Segment("192.0.2.10", kSyn), "policy_allowed");
    EXPECT_EQ(Run(Segment("192.0.2.10", kSyn)).reason, "syn_rate");
    config.syn_guard.source = {0.001, 1000, hours(2)};
    Load(config);
    EXPECT_EQ(Run(Segment("192.0.2.10", kSyn)).reason, "syn_rate")
        << "as long, or longer: it stays";
    config.syn_guard.source = milder;
    Load(config);
    EXPECT_EQ(CountRuns(5, Segment("192.0.2.10", kSyn), "policy_allowed"), 5);
  }
}

TEST_F(SynGuardTest, OnlySoManyNewSources) {
  DataPlaneConfig config = Guarded();
  config.syn_guard.new_sources = {0.001, 10};
  Load(config);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Run(Segment(Spoofed(i), kSyn)).reason, "policy_allowed") << i;
  }
  for (int i = 10; i < 100; ++i) {
    EXPECT_EQ(Run(Segment(Spoofed(i), kSyn)).reason, "syn_new_source") << i;
  }
  EXPECT_EQ(Run(Segment(Spoofed(3), kSyn)).reason, "policy_allowed") << "a known one still may";
}

TEST_F(SynGuardTest, ADestinationAboveItsLimit) {
  DataPlaneConfig config = Guarded();
  config.syn_guard.destination = {0.001, 10};
  Load(config);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Run(Segment(Spoofed(i), kSyn)).reason, i < 10 ? "policy_allowed" : "syn_destination");
  }
  EXPECT_EQ(Run(Segment(Spoofed(100), kSyn, 0, 22)).reason, "policy_allowed") << "another port";
}

TEST_F(SynGuardTest, AFullTableForgetsTheSilentAndRefusesNobody) {
  DataPlaneConfig config = Guarded();
  config.syn_guard.new_sources = {};
  config.syn_guard.destination = {};
  Load(config);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(Run(Segment(Spoofed(i), kSyn)).reason, "policy_allowed") << i;
  }
}

uint32_t Number(const Bytes& frame, size_t offset) {
  return static_cast<uint32_t>(frame[offset]) << 24 | frame[offset + 1] << 16 |
         frame[offset + 2] << 8 | frame[offset + 3];
}

// One's complement sum over TCP and its pseudo header: 0xffff when the checksum is right.
uint16_t TcpSum(const Bytes& frame, size_t addresses, size_t length, size_t tcp) {
  uint32_t sum = 6 + 20;
  for (size_t i = addresses; i < addresses + 2 * length; i += 2)
    sum += frame[i] << 8 | frame[i + 1];
  for (size_t i = tcp; i < tcp + 20; i += 2) sum += frame[i] << 8 | frame[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

class SynChallengeTest : public SynGuardTest {
 protected:
  void SetUp() override {
    SynGuardTest::SetUp();
    if (IsSkipped()) return;
    DataPlaneConfig config = Guarded();
    config.syn_guard.new_sources = {0.001, 1};
    config.syn_guard.challenge = true;
    Load(config);
    Run(Segment("10.0.0.1", kSyn));  // the one new source there may be
  }
};

TEST_F(SynChallengeTest, ASynIsAnsweredInTheServersPlace) {
  const Bytes syn = Segment("192.0.2.10", kSyn).Build();
  const Outcome outcome = Run(syn);
  EXPECT_EQ(outcome.verdict, XDP_REDIRECT);
  EXPECT_EQ(outcome.reason, "syn_challenged");
  ASSERT_EQ(outcome.out.size(), syn.size());
  EXPECT_TRUE(std::equal(syn.begin(), syn.begin() + 6, outcome.out.begin() + 6)) << "MACs swapped";
  EXPECT_TRUE(std::equal(syn.begin() + 26, syn.begin() + 30, outcome.out.begin() + 30));
  EXPECT_EQ(outcome.out[34 + 13], kSyn | kAck);
  EXPECT_EQ(TcpSum(outcome.out, 26, 4, 34), 0xffff);
  EXPECT_NE(Number(outcome.out, 34 + 8), 1u) << "not what the client sent, plus one";
}

TEST_F(SynChallengeTest, WhoMeetsItMayConnect) {
  const uint32_t cookie = Number(Run(Segment("192.0.2.10", kSyn)).out, 34 + 8);
  EXPECT_EQ(Run(Segment("192.0.2.10", kRst, cookie + 256)).reason, "policy_allowed")
      << "not the cookie: no business of the guard";
  EXPECT_EQ(Run(Segment("192.0.2.10", kSyn)).reason, "syn_challenged");
  EXPECT_EQ(Run(Segment("192.0.2.11", kRst, cookie)).reason, "policy_allowed")
      << "somebody else's cookie";
  EXPECT_EQ(Run(Segment("192.0.2.10", kRst, cookie)).reason, "syn_challenge_met");
  EXPECT_EQ(Run(Segment("192.0.2.10", kSyn)).reason, "policy_allowed");
  EXPECT_EQ(Run(Segment("192.0.2.11", kSyn)).reason, "syn_challenged");
}

// Found by fuzzing: a guard that had challenged, and was told to observe, still dropped the RST.
TEST_F(SynChallengeTest, InObserveWhatMeetsItIsNotDropped) {
  const uint32_t cookie = Number(Run(Segment("192.0.2.10", kSyn)).out, 34 + 8);
  DataPlaneConfig config = Guarded();
  config.syn_guard.challenge = true;
  config.modules[STEM_MODULE_syn_guard] = STEM_MODULE_OBSERVE;
  Load(config);
  EXPECT_EQ(Run(Segment("192.0.2.10", kRst, cookie)).reason, "policy_allowed");
  EXPECT_EQ(Observed("syn_challenge_met"), 1u);
}

TEST_F(SynChallengeTest, Ipv6) {
  const Outcome outcome = Run(Segment6("2001:db8:1::10", kSyn));
  EXPECT_EQ(outcome.verdict, XDP_REDIRECT);
  EXPECT_EQ(TcpSum(outcome.out, 22, 16, 54), 0xffff);
  const uint32_t cookie = Number(outcome.out, 54 + 8);
  EXPECT_EQ(Run(Segment6("2001:db8:1::10", kRst, cookie)).reason, "syn_challenge_met");
  EXPECT_EQ(Run(Segment6("2001:db8:1::10", kSyn)).reason, "policy_allowed");
}

TEST_F(SynChallengeTest, TheAnswerIsNoLargerThanTheSyn) {
  Bytes syn = Segment("192.0.2.10", kSyn).Build();
  syn.insert(syn.end(), 300, 0xaa);  // data, or padding
  EXPECT_EQ(Run(syn).out.size(), 14u + 20 + 20);
}

TEST_F(SynChallengeTest, OptionsAreNotAnsweredButDropped) {
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.20", {.option_words = 1}) /
                Tcp(1234, 5061, kSyn))
                .reason,
            "syn_new_source");
}

class PermitTest : public SynGuardTest {
 protected:
  void SetUp() override {
    SynGuardTest::SetUp();
    if (IsSkipped()) return;
    DataPlaneConfig config = Guarded();
    config.syn_guard.permits = true;
    Load(config);
  }
  void Permit(uint16_t port, uint64_t until) {
    stem_permit_key key{};
    const IpAddress from = *IpAddress::Parse("198.51.100.20"), to = *IpAddress::Parse("192.0.2.10");
    std::copy(from.bytes.begin(), from.bytes.end(), key.source);
    std::copy(to.bytes.begin(), to.bytes.end(), key.destination);
    key.port = port;
    const stem_permit value{until, 0};
    ASSERT_EQ(bpf_map_update_elem(plane().permits_fd(), &key, &value, BPF_ANY), 0);
  }
  std::string Out(uint16_t port, uint8_t flags = kSyn) {
    return Run(Ethernet() / Ipv4("198.51.100.20", "192.0.2.10") / Tcp(1234, port, flags),
               STEM_SIDE_INSIDE)
        .reason;
  }
};

TEST_F(PermitTest, OutboundSynToASipPortNeedsOne) {
  EXPECT_EQ(Out(5060), "syn_no_permit");
  EXPECT_EQ(Out(5060, kAck), "policy_allowed");
  EXPECT_EQ(Out(80), "policy_allowed");
  Permit(5060, MonotonicNanoseconds() + 3'600'000'000'000);
  EXPECT_EQ(Out(5060), "policy_allowed");
  Permit(5060, 1);
  EXPECT_EQ(Out(5060), "syn_no_permit") << "expired";
}

}  // namespace
}  // namespace stem
