// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/ip_packet.h"

#include <gtest/gtest.h>

#include <vector>

namespace stem {
namespace {

using Frame = std::vector<uint8_t>;

Endpoint At(std::string_view text) { return *Endpoint::Parse(text); }

Frame InEthernet(const std::string& packet, const Frame& tags = {}) {
  const bool v4 = packet[0] >> 4 == 4;
  std::string frame = "\2\2\2\2\2\2\2\2\2\2\2\2";  // addresses nobody looks at
  frame.append(tags.begin(), tags.end());
  frame += v4 ? '\x08' : '\x86';
  frame += v4 ? '\x00' : '\xdd';
  frame += packet;
  return {frame.begin(), frame.end()};
}

std::string Udp(const char* from, const char* to, std::string_view payload) {
  const absl::StatusOr<std::string> packet = EncodeUdp(At(from), At(to), payload);
  EXPECT_TRUE(packet.ok()) << packet.status();
  return packet.value_or("");
}

TEST(IpPacketTest, WhatIsEncodedIsDecodedAgain) {
  for (const auto& [from, to] : {std::pair("192.0.2.10:5060", "198.51.100.10:5062"),
                                 std::pair("[2001:db8:1::10]:5060", "[2001:db8:2::10]:5062")}) {
    for (const size_t length : {0u, 1u, 2u, 3u, 1400u, 9000u}) {
      const std::string payload(length, 'x');
      const std::string packet = Udp(from, to, payload);
      const absl::StatusOr<Datagram> datagram = DecodeFrame(InEthernet(packet));
      ASSERT_TRUE(datagram.ok()) << datagram.status() << " " << from << " " << length;
      EXPECT_EQ(datagram->source.ToString(), from);
      EXPECT_EQ(datagram->destination.ToString(), to);
      EXPECT_EQ(datagram->payload, payload);
      EXPECT_EQ(datagram->ip_packet, packet);
    }
  }
}

// Found by fuzzing: such a sender is IPv4's to everybody, but the packet is not.
TEST(IpPacketTest, AnIpv4AddressInAnIpv6HeaderIsRefused) {
  for (const size_t address : {8u, 24u}) {
    std::string packet = Udp("[2001:db8:1::10]:5060", "[2001:db8:2::10]:5062", "OPTIONS");
    ASSERT_TRUE(DecodeFrame(InEthernet(packet)).ok());
    packet.replace(address, 12, std::string(10, '\0') + "\xff\xff");
    EXPECT_EQ(DecodeFrame(InEthernet(packet)).status().code(), absl::StatusCode::kInvalidArgument)
        << address;
  }
}

TEST(IpPacketTest, KnownChecksum) {
  // Pseudo-header (addresses, protocol 17, length 10), then ports, length and "hi", word by word.
  const std::string packet = Udp("192.0.2.1:7", "192.0.2.2:9", "hi");
  uint32_t sum =
      0xc000 + 0x0201 + 0xc000 + 0x0202 + 0x0011 + 0x000a + 0x0007 + 0x0009 + 0x000a + 0x6869;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  const uint16_t wanted = static_cast<uint16_t>(~sum);
  EXPECT_EQ(static_cast<uint8_t>(packet[26]) << 8 | static_cast<uint8_t>(packet[27]), wanted);
}

TEST(IpPacketTest, AnUnfinishedChecksumIsCompleted) {
  const std::string whole = Udp("192.0.2.10:5060", "198.51.100.10:5060", "OPTIONS");
  std::string partial = whole;
  // What a virtual NIC leaves: the folded sum of the pseudo-header, not complemented.
  uint32_t sum = 0xc000 + 0x020a + 0xc633 + 0x640a + 0x0011 + 8 + 7;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  partial[26] = static_cast<char>(sum >> 8);
  partial[27] = static_cast<char>(sum);
  const absl::StatusOr<Datagram> datagram = DecodeFrame(InEthernet(partial));
  ASSERT_TRUE(datagram.ok()) << datagram.status();
  EXPECT_EQ(datagram->ip_packet, whole);
}

TEST(IpPacketTest, AWrongChecksumIsDataLoss) {
  std::string packet = Udp("192.0.2.10:5060", "198.51.100.10:5060", "OPTIONS");
  packet[27] = static_cast<char>(packet[27] ^ 1);
  EXPECT_TRUE(absl::IsDataLoss(DecodeFrame(InEthernet(packet)).status()));
  packet[27] = static_cast<char>(packet[27] ^ 1);
  packet.back() = static_cast<char>(packet.back() ^ 0x40);
  EXPECT_TRUE(absl::IsDataLoss(DecodeFrame(InEthernet(packet)).status()));
}

TEST(IpPacketTest, NoChecksumIsFineInIpv4Only) {
  std::string v4 = Udp("192.0.2.10:5060", "198.51.100.10:5060", "OPTIONS");
  v4[26] = v4[27] = 0;
  EXPECT_TRUE(DecodeFrame(InEthernet(v4)).ok());
  std::string v6 = Udp("[2001:db8:1::10]:5060", "[2001:db8:2::10]:5060", "OPTIONS");
  v6[46] = v6[47] = 0;
  EXPECT_TRUE(absl::IsDataLoss(DecodeFrame(InEthernet(v6)).status()));
}

TEST(IpPacketTest, VlanTagsAndPaddingAreNotThePacket) {
  const std::string packet = Udp("192.0.2.10:5060", "198.51.100.10:5060", "x");
  for (Frame frame : {InEthernet(packet, {0x81, 0x00, 0x00, 0x07}),
                      InEthernet(packet, {0x88, 0xa8, 0x00, 0x07, 0x81, 0x00, 0x00, 0x08})}) {
    frame.resize(frame.size() + 20);
    const absl::StatusOr<Datagram> datagram = DecodeFrame(frame);
    ASSERT_TRUE(datagram.ok()) << datagram.status();
    EXPECT_EQ(datagram->ip_packet, packet);
    EXPECT_EQ(datagram->payload, "x");
  }
  EXPECT_FALSE(DecodeFrame(InEthernet(packet, {0x81, 0, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3})).ok());
}

TEST(IpPacketTest, CutAtEveryByteIsRefused) {
  for (const std::string& packet :
       {Udp("192.0.2.10:5060", "198.51.100.10:5060", "OPTIONS"),
        Udp("[2001:db8:1::10]:5060", "[2001:db8:2::10]:5060", "OPTIONS")}) {
    const Frame frame = InEthernet(packet);
    for (size_t length = 0; length < frame.size(); ++length) {
      EXPECT_FALSE(DecodeFrame(std::span(frame).first(length)).ok()) << length;
    }
  }
}

TEST(IpPacketTest, EncodingRefusesWhatCannotBe) {
  EXPECT_FALSE(EncodeUdp(At("192.0.2.10:1"), At("[2001:db8::1]:2"), "x").ok());
  EXPECT_FALSE(EncodeUdp(At("192.0.2.10:1"), At("192.0.2.11:2"), std::string(65508, 'x')).ok());
  EXPECT_TRUE(EncodeUdp(At("192.0.2.10:1"), At("192.0.2.11:2"), std::string(65507, 'x')).ok());
}

}  // namespace
}  // namespace stem
