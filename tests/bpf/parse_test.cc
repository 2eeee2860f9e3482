// SPDX-License-Identifier: Apache-2.0
// Parsing: every shape of header, every wrong length, every cut.
#include <linux/bpf.h>

#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

constexpr char kCaller[] = "192.0.2.10";
constexpr char kCallee[] = "198.51.100.20";
constexpr char kCaller6[] = "2001:db8:1::10";
constexpr char kCallee6[] = "2001:db8:2::20";

class ParseTest : public KernelBench {};

TEST_F(ParseTest, ArpPasses) {
  const Outcome outcome = Run(Ethernet() / Arp());
  EXPECT_EQ(outcome.verdict, XDP_PASS);
  EXPECT_EQ(outcome.reason, "arp_passed");
  EXPECT_EQ(outcome.side, STEM_SIDE_OUTSIDE);
}

TEST_F(ParseTest, IcmpAndNeighbourDiscoveryPassOnBothSides) {
  for (const stem_side side : {STEM_SIDE_OUTSIDE, STEM_SIDE_INSIDE}) {
    EXPECT_EQ(Run(Ethernet() / Ipv4(kCaller, kCallee) / Icmp(), side).reason, "icmp_passed");
    EXPECT_EQ(Run(Ethernet() / Ipv6(kCaller6, kCallee6) / Icmpv6(), side).reason, "icmp_passed");
    EXPECT_EQ(Run(Ethernet() / Ipv6(kCaller6, kCallee6) / Icmpv6(), side).side, side);
  }
}

TEST_F(ParseTest, IcmpOfTheOtherFamilyIsNotIcmp) {
  EXPECT_EQ(Run(Ethernet() / Ipv4(kCaller, kCallee) / Icmpv6()).reason, "policy_denied");
  EXPECT_EQ(Run(Ethernet() / Ipv6(kCaller6, kCallee6) / Icmp()).reason, "policy_denied");
}

// Found by fuzzing: in the tables, v4-mapped is IPv4, whatever header it stood in.
TEST_F(ParseTest, AnIpv4AddressInAnIpv6HeaderDies) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  const auto media = [](std::string_view from, std::string_view to) {
    return Ethernet() / Ipv6(from, to) / Udp(4000, 30000) / "media";
  };
  EXPECT_EQ(Run(media("::ffff:192.0.2.10", "::ffff:198.51.100.20")).reason, "bad_header");
  EXPECT_EQ(Run(media("::ffff:192.0.2.10", kCallee6)).reason, "bad_header");
  EXPECT_EQ(Run(media(kCaller6, "::ffff:198.51.100.20")).reason, "bad_header");
  EXPECT_EQ(Run(media("::fffe:192.0.2.10", kCallee6)).reason, "no_pinhole") << "another prefix";
  EXPECT_EQ(Run(media("64:ff9b::192.0.2.10", kCallee6)).reason, "no_pinhole") << "NAT64";
}

TEST_F(ParseTest, UnknownEtherTypeDies) {
  const Outcome outcome = Run(Ethernet(0x88cc) / "LLDP is nobody's business beyond this link...");
  EXPECT_EQ(outcome.verdict, XDP_DROP);
  EXPECT_EQ(outcome.reason, "not_ip");
}

TEST_F(ParseTest, InterfaceThatIsNeitherSideDies) {
  EXPECT_EQ(Run(Ethernet() / Arp(), STEM_SIDE_NONE).reason, "unknown_interface");
}

TEST_F(ParseTest, VlanTagsAreLookedThrough) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  const auto media = [](auto... tags) {
    return ((Ethernet() / ... / tags) / Ipv4(kCaller, kCallee) / Udp(4000, 30000) / "media");
  };
  // Tagged media is the stack's to route, but the pinhole decided.
  EXPECT_EQ(Run(media(Vlan(7))).reason, "media_to_stack");
  EXPECT_EQ(Run(media(Vlan(7, 0x88a8), Vlan(8))).reason, "media_to_stack");
  EXPECT_EQ(Run(media(Vlan(1), Vlan(2), Vlan(3))).reason, "too_many_vlans");
  EXPECT_EQ(Run(Ethernet() / Vlan(7) / Ipv4(kCaller, kCallee) / Udp(4000, 30001) / "x").reason,
            "no_pinhole");
}

TEST_F(ParseTest, Ipv4OptionsAreLookedThrough) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  for (size_t words = 1; words <= 10; ++words) {
    const auto frame =
        Ethernet() / Ipv4(kCaller, kCallee, {.option_words = words}) / Udp(4000, 30000) / "media";
    EXPECT_EQ(Run(frame).reason, "media_to_stack") << words << " option words";
  }
}

TEST_F(ParseTest, Ipv4LengthsThatLie) {
  const auto with = [](Ipv4Options options) {
    return Ethernet() / Ipv4(kCaller, kCallee, options) / Udp(4000, 30000) / "payload";
  };
  EXPECT_EQ(Run(with({.wrong_header_words = 4})).reason, "bad_header");
  EXPECT_EQ(Run(with({.wrong_header_words = 15})).reason, "bad_header");
  EXPECT_EQ(Run(with({.wrong_version = 5})).reason, "bad_header");
  EXPECT_EQ(Run(with({.wrong_total_length = 19})).reason, "bad_header");
  EXPECT_EQ(Run(with({.wrong_total_length = 27})).reason, "truncated") << "no room for UDP";
  EXPECT_EQ(Run(with({.wrong_total_length = 36})).reason, "truncated") << "one more than there is";
  EXPECT_EQ(Run(with({.wrong_total_length = 65535})).reason, "truncated");
}

TEST_F(ParseTest, UdpLengthsThatLie) {
  const auto with = [](int length) {
    return Ethernet() / Ipv4(kCaller, kCallee) / Udp(4000, 30000, length) / "payload";
  };
  EXPECT_EQ(Run(with(7)).reason, "bad_header");
  EXPECT_EQ(Run(with(16)).reason, "bad_header") << "one more than the IP packet holds";
  EXPECT_EQ(Run(with(15)).reason, "no_pinhole") << "the right length";
  EXPECT_EQ(Run(with(8)).reason, "no_pinhole") << "shorter than the IP packet is allowed";
}

TEST_F(ParseTest, EthernetPaddingIsNotPayload) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  Bytes frame = (Ethernet() / Ipv4(kCaller, kCallee) / Udp(4000, 30000) / "1").Build();
  frame.resize(60);
  EXPECT_EQ(Run(frame).reason, "media_relayed");
  const auto pinhole = pinholes().Find({At("198.51.100.20:30000"), STEM_SIDE_OUTSIDE});
  ASSERT_TRUE(pinhole.ok() && pinhole->has_value());
  EXPECT_EQ((*pinhole)->use.bytes, 29u) << "IP header to end of packet, not the frame";
}

TEST_F(ParseTest, Ipv6LengthsThatLie) {
  const auto with = [](int length) {
    return Ethernet() / Ipv6(kCaller6, kCallee6, {.wrong_payload_length = length}) /
           Udp(4000, 30000) / "payload";
  };
  EXPECT_EQ(Run(with(16)).reason, "truncated");
  EXPECT_EQ(Run(with(7)).reason, "truncated") << "no room for UDP";
  EXPECT_EQ(Run(with(15)).reason, "no_pinhole");
}

TEST_F(ParseTest, Ipv6ExtensionHeadersAreFollowedUpToTheCap) {
  OpenPinhole("[2001:db8:2::20]:30000", "[2001:db8:1::10]:4000");
  for (const uint8_t protocol : {0, 43, 51, 60, 135, 139, 140}) {
    const auto frame =
        Ethernet() / Ipv6(kCaller6, kCallee6) / Extension(protocol) / Udp(4000, 30000) / "media";
    EXPECT_EQ(Run(frame).reason, "media_to_stack") << "extension " << int{protocol};
  }
  Packet chain = Ethernet() / Ipv6(kCaller6, kCallee6);
  for (int i = 0; i < 6; ++i) chain = chain / Extension(60);
  EXPECT_EQ(Run(chain / Udp(4000, 30000) / "media").reason, "media_to_stack");
  EXPECT_EQ(Run(chain / Extension(60) / Udp(4000, 30000) / "media").reason, "ext_header_cap");
}

TEST_F(ParseTest, ExtensionHeaderLongerThanThePacket) {
  Bytes frame =
      (Ethernet() / Ipv6(kCaller6, kCallee6) / Extension(60) / Udp(4000, 30000) / "x").Build();
  frame[14 + 40 + 1] = 200;
  EXPECT_EQ(Run(frame).reason, "bad_header");
}

// Whatever is cut off, a packet is dropped or (cut inside its payload or padding) judged by what
// its headers say; it never passes for being short.
TEST_F(ParseTest, CutAtEveryByte) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:4000");
  OpenPinhole("[2001:db8:2::20]:30000", "[2001:db8:1::10]:4000");
  const std::vector<Packet> whole = {
      Ethernet() / Vlan(5) / Ipv4(kCaller, kCallee, {.option_words = 2}) / Udp(4000, 30000) /
          "abcd",
      Ethernet() / Ipv6(kCaller6, kCallee6) / Extension(0) / Extension(60) / Udp(4000, 30000) /
          "abcd",
      Ethernet() / Ipv4(kCaller, kCallee) / Tcp(4000, 22),
  };
  for (const Packet& packet : whole) {
    const Bytes frame = packet.Build();
    // BPF_PROG_TEST_RUN takes no frame shorter than an Ethernet header.
    for (size_t length = 14; length < frame.size(); ++length) {
      const Outcome outcome = Run(Bytes(frame.begin(), frame.begin() + static_cast<long>(length)));
      EXPECT_EQ(outcome.verdict, XDP_DROP) << length << " of " << frame.size() << " bytes";
      EXPECT_EQ(outcome.reason, "truncated") << length << " of " << frame.size() << " bytes";
    }
  }
}

}  // namespace
}  // namespace stem
