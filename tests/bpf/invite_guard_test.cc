// SPDX-License-Identifier: Apache-2.0
// INVITE guard: SIP messages of a source, by class, before the agent sees them.
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <cstring>

#include "bpf/handover.h"
#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

class InviteGuardTest : public KernelBench {
 protected:
  static constexpr std::chrono::hours kLong{1};

  // Rates so low that nothing is earned back while a test runs.
  DataPlaneConfig Guarded() {
    DataPlaneConfig config = DefaultConfig();
    config.invite_guard.invite = {0.001, 3, kLong};
    config.invite_guard.registers = {0.001, 4, kLong};
    config.invite_guard.other = {0.001, 5, kLong};
    config.invite_guard.response = {0.001, 6, kLong};
    config.invite_guard.new_sources = {0.001, 1000};
    return config;
  }
  void Start(const DataPlaneConfig& config) {
    Load(config);
    Listen();
  }
  static Packet Sip(std::string_view start, std::string_view from = "192.0.2.10") {
    return Ethernet() / Ipv4(from, "198.51.100.20") / Udp(5060, 5060) / start;
  }
  // What the frame tells the agent; nullopt when it tells nothing.
  static std::optional<stem_reason> Told(const Outcome& outcome) {
    stem_handover handover;
    std::memcpy(&handover, &outcome.out[ETH_ALEN], sizeof(handover));
    if (handover.mark != STEM_HANDOVER_MARK) return std::nullopt;
    EXPECT_EQ(outcome.verdict, XDP_REDIRECT);
    return static_cast<stem_reason>(handover.reason);
  }
  static Packet Sip6(std::string_view start) {
    return Ethernet() / Ipv6("2001:db8:1::10", "2001:db8:2::20") / Udp(5060, 5060) / start;
  }
};

TEST_F(InviteGuardTest, EachClassHasItsOwnLimit) {
  const struct {
    const char* start;
    int limit;
  } kClasses[] = {{"INVITE sip:bob@example.org SIP/2.0", 3},
                  {"REGISTER sip:example.org SIP/2.0", 4},
                  {"OPTIONS sip:example.org SIP/2.0", 5},
                  {"BYE sip:example.org SIP/2.0", 5},
                  {"SIP/2.0 200 OK", 6},
                  {"invite sip:bob@example.org SIP/2.0", 5},
                  {"\r\n\r\n", 5},
                  {"", 5},
                  {"INV", 5}};
  Start(Guarded());
  int host = 1;
  for (const auto& [start, limit] : kClasses) {
    const std::string from = "203.0.113." + std::to_string(host++);
    EXPECT_EQ(CountRuns(10, Sip(start, from), "sip_to_agent"), limit) << start;
    EXPECT_EQ(Run(Sip(start, from)).reason, "sip_rate") << start;
  }
}

TEST_F(InviteGuardTest, TheFrameTellsTheAgentTheVerdictOnIt) {
  DataPlaneConfig config = Guarded();
  config.invite_guard.answered = 2;
  Start(config);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Told(Run(Sip("INVITE"))), STEM_REASON_sip_to_agent);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Told(Run(Sip("INVITE"))), STEM_REASON_sip_rate_to_agent);
  EXPECT_EQ(Told(Run(Sip("INVITE", "192.0.2.11"))), STEM_REASON_sip_to_agent);
  EXPECT_EQ(Told(Run(Sip("INVITE"), STEM_SIDE_INSIDE)), std::nullopt) << "nobody listens there";
}

TEST_F(InviteGuardTest, NoSenderCanClaimAVerdict) {
  DataPlaneConfig config = Guarded();
  config.invite_guard.answered = 2;
  Start(config);
  Bytes frame = Sip("INVITE").Build();
  const stem_handover claim{STEM_HANDOVER_MARK, STEM_REASON_sip_rate_to_agent};
  std::memcpy(&frame[ETH_ALEN], &claim, sizeof(claim));
  const Outcome outcome = Run(frame);
  EXPECT_EQ(Told(outcome), STEM_REASON_sip_to_agent);
  Bytes rest = outcome.out;
  std::memcpy(&rest[ETH_ALEN], &claim, sizeof(claim));
  EXPECT_EQ(rest, frame) << "nothing else is written";
}

TEST_F(InviteGuardTest, AFirstFragmentTellsTheVerdictOnTheMessage) {
  DataPlaneConfig config = Guarded();
  config.invite_guard.answered = 2;
  Start(config);
  const auto piece = [](uint16_t field) {
    return Ethernet() / Ipv4("192.0.2.10", "198.51.100.20", {.fragment_field = field, .id = 7}) /
           Udp(5060, 5060) / "INVITE";
  };
  constexpr uint16_t kFirst = 0x2000, kLast = 0x0002;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Told(Run(piece(kFirst))), STEM_REASON_sip_to_agent);
  EXPECT_EQ(Told(Run(piece(kFirst))), STEM_REASON_sip_rate_to_agent);
  EXPECT_EQ(Told(Run(piece(kLast))), STEM_REASON_fragment_to_agent);
}

TEST_F(InviteGuardTest, InThePenaltyEverythingOfTheSourceDies) {
  Start(Guarded());
  CountRuns(4, Sip("INVITE"), "sip_to_agent");
  EXPECT_EQ(Run(Sip("OPTIONS")).reason, "sip_rate");
  EXPECT_EQ(Run(Sip("SIP/2.0")).reason, "sip_rate");
  EXPECT_EQ(Run(Sip("INVITE", "192.0.2.11")).reason, "sip_to_agent") << "of that source only";
}

TEST_F(InviteGuardTest, Ipv6) {
  Start(Guarded());
  EXPECT_EQ(CountRuns(5, Sip6("INVITE"), "sip_to_agent"), 3);
  EXPECT_EQ(Run(Sip6("INVITE")).reason, "sip_rate");
}

TEST_F(InviteGuardTest, TheFirstOfAPenaltyGoToTheAgentForTheir503) {
  DataPlaneConfig config = Guarded();
  config.invite_guard.answered = 2;
  Start(config);
  EXPECT_EQ(CountRuns(3, Sip("INVITE"), "sip_to_agent"), 3);
  EXPECT_EQ(CountRuns(10, Sip("INVITE"), "sip_rate_to_agent"), 2);
  EXPECT_EQ(Run(Sip("INVITE")).reason, "sip_rate");
  EXPECT_EQ(Run(Sip("SIP/2.0 200 OK")).reason, "sip_rate") << "responses are never answered";
}

TEST_F(InviteGuardTest, WithoutAPenaltyThereIsNothingToAnswer) {
  DataPlaneConfig config = Guarded();
  config.invite_guard.answered = 2;
  config.invite_guard.invite.penalty = {};
  Start(config);
  EXPECT_EQ(CountRuns(3, Sip("INVITE"), "sip_to_agent"), 3);
  EXPECT_EQ(CountRuns(10, Sip("INVITE"), "sip_rate"), 10);
  EXPECT_EQ(Run(Sip("OPTIONS")).reason, "sip_to_agent") << "only what exceeds the rate is dropped";
}

// What is remembered of a source outlives the limit it was made under.
TEST_F(InviteGuardTest, AnotherLimitEndsPenaltiesThatItWouldNotHaveGiven) {
  DataPlaneConfig config = Guarded();
  Start(config);
  CountRuns(4, Sip("INVITE"), "sip_to_agent");
  ASSERT_EQ(Run(Sip("INVITE")).reason, "sip_rate");
  config.invite_guard.invite = {1000, 10, std::chrono::seconds(1)};
  Start(config);
  EXPECT_EQ(Run(Sip("INVITE")).reason, "sip_rate") << "another class might have begun it";
  for (GuardLimit* limit : {&config.invite_guard.registers, &config.invite_guard.other,
                            &config.invite_guard.response}) {
    limit->penalty = std::chrono::seconds(1);
  }
  Start(config);
  EXPECT_EQ(CountRuns(5, Sip("INVITE"), "sip_to_agent"), 5);
}

TEST_F(InviteGuardTest, OnlySoManyNewSources) {
  DataPlaneConfig config = Guarded();
  config.invite_guard.new_sources = {0.001, 5};
  Start(config);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Run(Sip("INVITE", "203.0.113." + std::to_string(i))).reason,
              i < 5 ? "sip_to_agent" : "sip_new_source");
  }
  EXPECT_EQ(Run(Sip("INVITE", "203.0.113.2")).reason, "sip_to_agent") << "a known one still may";
}

TEST_F(InviteGuardTest, TheInsideIsNotCounted) {
  Load(Guarded());
  EXPECT_EQ(CountRuns(20, Sip("INVITE"), "agent_down", STEM_SIDE_INSIDE), 20);
}

TEST_F(InviteGuardTest, ObservedItIsCountedAndPasses) {
  DataPlaneConfig config = Guarded();
  config.modules[STEM_MODULE_invite_guard] = STEM_MODULE_OBSERVE;
  Start(config);
  EXPECT_EQ(CountRuns(10, Sip("INVITE"), "sip_to_agent"), 10);
  EXPECT_EQ(Observed("sip_rate"), 7u);
  config.invite_guard.answered = 20;
  Start(config);
  EXPECT_EQ(Told(Run(Sip("INVITE"))), STEM_REASON_sip_to_agent) << "nobody is to feel it";
  EXPECT_EQ(Observed("sip_rate_to_agent"), 1u);
}

TEST_F(InviteGuardTest, Off) {
  DataPlaneConfig config = Guarded();
  config.modules[STEM_MODULE_invite_guard] = STEM_MODULE_OFF;
  Start(config);
  EXPECT_EQ(CountRuns(10, Sip("INVITE"), "sip_to_agent"), 10);
}

}  // namespace
}  // namespace stem
