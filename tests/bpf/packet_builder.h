// SPDX-License-Identifier: Apache-2.0
// Packets that read like what they are: Ethernet() / Vlan(7) / Ipv4(from, to) / Udp(1, 2) / "text".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stem {

using Bytes = std::vector<uint8_t>;

// One header, outermost first. Lengths and next-protocol fields are filled in when the packet is
// put together, unless a test asked for a wrong one.
struct Layer {
  enum class Kind { kEthernet, kVlan, kIpv4, kIpv6, kExtension, kUdp, kOther };
  Kind kind = Kind::kOther;
  uint16_t called = 0;  // what the header before calls this one: an EtherType or an IP protocol
  Bytes bytes;
};

class Packet {
 public:
  explicit Packet(Layer first) { layers_.push_back(std::move(first)); }

  friend Packet operator/(Packet packet, Layer next) {
    packet.layers_.push_back(std::move(next));
    return packet;
  }
  friend Packet operator/(Packet packet, std::string_view payload);

  // The frame: types, lengths and the IPv4 header checksum filled in.
  Bytes Build() const;

 private:
  std::vector<Layer> layers_;
};

Packet Ethernet(uint16_t type = 0);  // 0: by the next layer
Layer Vlan(uint16_t id, uint16_t tag_type = 0x8100);
Layer Arp();

struct Ipv4Options {
  size_t option_words = 0;      // NOPs of 4 bytes
  uint16_t fragment_field = 0;  // flags and offset, as in the header
  uint8_t ttl = 64;
  uint16_t id = 0;
  int wrong_total_length = -1;  // -1: the right one
  int wrong_header_words = -1;
  int wrong_version = -1;
};
Layer Ipv4(std::string_view from, std::string_view to, Ipv4Options options = {});

struct Ipv6Options {
  uint8_t hop_limit = 64;
  int wrong_payload_length = -1;
};
Layer Ipv6(std::string_view from, std::string_view to, Ipv6Options options = {});

// An extension header of `protocol` (0 hop-by-hop, 43, 44 fragment, 51 AH, 60 ...) of 8 bytes.
Layer Extension(uint8_t protocol);

// A fragment header (RFC 8200, 4.5); `offset` in bytes.
Layer Fragment6(uint32_t id, uint16_t offset, bool more);

Layer Udp(uint16_t from, uint16_t to, int wrong_length = -1);
Layer Tcp(uint16_t from, uint16_t to, uint8_t flags = 0x02 /* SYN */, uint32_t sequence = 0);
Layer Icmp();
Layer Icmpv6();

// Payloads of UDP.
struct RtpFields {
  uint16_t sequence = 1;
  uint8_t payload_type = 0;
  uint32_t ssrc = 0x01020304;
  uint8_t version = 2;
  size_t payload = 160;
};
std::string Rtp(RtpFields fields);
std::string Rtcp(uint8_t type, uint16_t words_less_one = 1, size_t bytes = 8);

}  // namespace stem
