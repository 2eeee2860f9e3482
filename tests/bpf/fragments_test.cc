// SPDX-License-Identifier: Apache-2.0
// Fragments: never into a pinhole, SIP to the agent whole, others by policy.
#include <linux/bpf.h>

#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

constexpr uint16_t kFirst = 0x2000, kMiddle = 0x2001, kLast = 0x0001;

class FragmentsTest : public KernelBench {
 protected:
  static Packet Piece(uint16_t field, uint16_t to, uint16_t id = 7,
                      std::string_view from = "192.0.2.10") {
    return Ethernet() / Ipv4(from, "198.51.100.20", {.fragment_field = field, .id = id}) /
           Udp(4000, to) / "x";
  }
  static Packet Piece6(uint16_t offset, bool more, uint16_t to, uint32_t id = 7) {
    return Ethernet() / Ipv6("2001:db8:1::10", "2001:db8:2::20") / Fragment6(id, offset, more) /
           Udp(4000, to) / "x";
  }
  void LoadWith(bool pass, bool default_pass) {
    DataPlaneConfig config = DefaultConfig();
    config.fragments.pass = pass;
    config.default_pass = default_pass;
    Load(config);
  }
};

TEST_F(FragmentsTest, NeverIntoAPinhole) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  OpenPinhole("[2001:db8:2::20]:30000", "[2001:db8:1::10]:4000");
  EXPECT_EQ(Run(Piece(kFirst, 30000)).reason, "fragment");
  EXPECT_EQ(Run(Piece(kMiddle, 30000)).reason, "fragment_unknown");
  EXPECT_EQ(Run(Piece(kLast, 30000)).reason, "fragment_unknown");
  EXPECT_EQ(Run(Piece6(0, true, 30000)).reason, "fragment");
  EXPECT_EQ(Run(Piece6(8, false, 30000)).reason, "fragment_unknown");
}

TEST_F(FragmentsTest, WhatIsNotFragmentedIsNone) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  OpenPinhole("[2001:db8:2::20]:30000", "[2001:db8:1::10]:4000");
  EXPECT_EQ(Run(Piece(0x4000, 30000)).reason, "media_relayed") << "don't fragment";
  EXPECT_EQ(Run(Piece6(0, false, 30000)).reason, "media_to_stack") << "atomic: RFC 6946";
}

TEST_F(FragmentsTest, OneFragmentHeaderIsEnough) {
  EXPECT_EQ(Run(Ethernet() / Ipv6("2001:db8:1::10", "2001:db8:2::20") / Fragment6(7, 0, true) /
                Fragment6(8, 0, true) / Udp(4000, 5060) / "x")
                .reason,
            "bad_header");
}

TEST_F(FragmentsTest, SipGoesToTheAgentFirstAndLater) {
  Listen();
  EXPECT_EQ(Run(Piece(kFirst, 5060)).reason, "sip_to_agent");
  EXPECT_EQ(Run(Piece(kMiddle, 0)).reason, "fragment_to_agent");
  EXPECT_EQ(Run(Piece(kLast, 0)).reason, "fragment_to_agent");
  EXPECT_EQ(Run(Piece6(0, true, 5060)).reason, "sip_to_agent");
  EXPECT_EQ(Run(Piece6(8, false, 0)).reason, "fragment_to_agent");
}

TEST_F(FragmentsTest, WithoutAnAgentLaterOnesDie) {
  DataPlaneConfig config = DefaultConfig();
  config.agent_down_pass = true;
  Load(config);
  EXPECT_EQ(Run(Piece(kMiddle, 0)).reason, "fragment_unknown");
  EXPECT_EQ(Run(Piece(kFirst, 5060)).reason, "agent_down_pass");
}

TEST_F(FragmentsTest, EarlyOnesGoToTheAgentWithinTheirLimit) {
  DataPlaneConfig config = DefaultConfig();
  config.fragments.early = {1, 3};
  Load(config);
  Listen();
  EXPECT_EQ(CountRuns(10, Piece(kMiddle, 0, 99), "fragment_to_agent"), 3);
  EXPECT_EQ(Run(Piece(kMiddle, 0, 99)).reason, "fragment_unknown");
  EXPECT_EQ(Run(Piece(kFirst, 5060, 99)).reason, "sip_to_agent");
  EXPECT_EQ(Run(Piece(kMiddle, 0, 99)).reason, "fragment_to_agent") << "known now, no limit";
}

TEST_F(FragmentsTest, OthersFollowTheirFirstByPolicy) {
  LoadWith(true, true);
  EXPECT_EQ(Run(Piece(kMiddle, 0, 1)).reason, "fragment_unknown") << "no first, no way in";
  EXPECT_EQ(Run(Piece(kFirst, 9999, 1)).reason, "policy_allowed");
  EXPECT_EQ(Run(Piece(kMiddle, 0, 1)).reason, "fragment_passed");
  EXPECT_EQ(Run(Piece(kMiddle, 0, 2)).reason, "fragment_unknown") << "another datagram's";
  EXPECT_EQ(Run(Piece(kMiddle, 0, 1, "192.0.2.11")).reason, "fragment_unknown")
      << "another source's";
  LoadWith(false, true);
  EXPECT_EQ(Run(Piece(kFirst, 9999, 3)).reason, "fragment");
}

TEST_F(FragmentsTest, AFirstThatIsDeniedOpensNothing) {
  LoadWith(true, false);
  EXPECT_EQ(Run(Piece(kFirst, 9999)).reason, "no_pinhole");
  EXPECT_EQ(Run(Piece(kMiddle, 0)).reason, "fragment_unknown");
}

TEST_F(FragmentsTest, TcpAndIcmpInPieces) {
  LoadWith(false, true);
  const auto over = [](Layer layer, uint16_t field) {
    return Ethernet() / Ipv4("192.0.2.10", "198.51.100.20", {.fragment_field = field}) / layer;
  };
  EXPECT_EQ(Run(over(Icmp(), kFirst)).reason, "fragment");
  EXPECT_EQ(Run(over(Icmp(), kMiddle)).reason, "fragment");
  EXPECT_EQ(Run(over(Tcp(1, 22), kFirst)).reason, "fragment");
  EXPECT_EQ(Run(over(Tcp(1, 22), kMiddle)).reason, "fragment");
}

TEST_F(FragmentsTest, AFullTableForgetsTheOldest) {
  DataPlaneConfig config = DefaultConfig();
  config.modules[STEM_MODULE_invite_guard] = STEM_MODULE_OFF;
  config.fragments.early = {1, 1};
  Load(config);
  Listen();
  constexpr uint16_t kMore = 3000;  // limits.fragments is 1024
  for (uint16_t id = 1; id <= kMore; ++id) {
    ASSERT_EQ(Run(Piece(kFirst, 5060, id)).reason, "sip_to_agent") << "never refused";
  }
  EXPECT_EQ(Run(Piece(kLast, 0, kMore)).reason, "fragment_to_agent") << "the newest is known";
  Run(Piece(kLast, 0, 1));
  EXPECT_EQ(Run(Piece(kLast, 0, 1)).reason, "fragment_unknown") << "the oldest is not";
}

}  // namespace
}  // namespace stem
