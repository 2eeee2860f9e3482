// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/packet_builder.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>

#include "common/address.h"

namespace stem {
namespace {

using Kind = Layer::Kind;

IpAddress Address(std::string_view text) {
  const absl::StatusOr<IpAddress> address = IpAddress::Parse(text);
  EXPECT_TRUE(address.ok()) << address.status();
  return address.value_or(IpAddress{});
}

void Put16(Bytes& bytes, size_t offset, uint16_t value) {
  bytes[offset] = static_cast<uint8_t>(value >> 8);
  bytes[offset + 1] = static_cast<uint8_t>(value);
}

void FillIpv4Checksum(Bytes& header) {
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < header.size(); i += 2) sum += header[i] << 8 | header[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  Put16(header, 10, static_cast<uint16_t>(~sum));
}

}  // namespace

Packet operator/(Packet packet, std::string_view payload) {
  constexpr uint16_t kExperimental = 253;  // RFC 3692
  return std::move(packet) / Layer{Kind::kOther, kExperimental, {payload.begin(), payload.end()}};
}

Bytes Packet::Build() const {
  std::vector<Layer> layers = layers_;
  size_t inner = 0;  // bytes after the layer at hand
  for (size_t i = layers.size(); i-- > 0;) {
    Bytes& bytes = layers[i].bytes;
    const uint16_t next = i + 1 < layers.size() ? layers[i + 1].called : 0;
    const auto fill16 = [&](size_t offset, size_t value) {
      if (bytes[offset] == 0 && bytes[offset + 1] == 0) {
        Put16(bytes, offset, static_cast<uint16_t>(value));
      }
    };
    switch (layers[i].kind) {
      case Kind::kEthernet:
        fill16(12, next);
        break;
      case Kind::kVlan:
        fill16(2, next);
        break;
      case Kind::kIpv4:
        fill16(2, bytes.size() + inner);
        bytes[9] = static_cast<uint8_t>(next);
        FillIpv4Checksum(bytes);
        break;
      case Kind::kIpv6:
        fill16(4, inner);
        bytes[6] = static_cast<uint8_t>(next);
        break;
      case Kind::kExtension:
        bytes[0] = static_cast<uint8_t>(next);
        break;
      case Kind::kUdp:
        fill16(4, bytes.size() + inner);
        break;
      case Kind::kOther:
        break;
    }
    inner += bytes.size();
  }
  Bytes frame;
  for (const Layer& layer : layers) {
    frame.insert(frame.end(), layer.bytes.begin(), layer.bytes.end());
  }
  return frame;
}

Packet Ethernet(uint16_t type) {
  Bytes bytes = {0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0x02, 0, 0};
  Put16(bytes, 12, type);
  return Packet({Kind::kEthernet, 0, bytes});
}

Layer Vlan(uint16_t id, uint16_t tag_type) {
  Bytes bytes(4);
  Put16(bytes, 0, id);
  return {Kind::kVlan, tag_type, bytes};
}

Layer Arp() { return {Kind::kOther, 0x0806, Bytes(28)}; }

Layer Ipv4(std::string_view from, std::string_view to, Ipv4Options options) {
  Bytes bytes(20 + 4 * options.option_words, 1);  // 1: the NOP option
  std::fill_n(bytes.begin(), 20, 0);
  const size_t words =
      options.wrong_header_words >= 0 ? options.wrong_header_words : bytes.size() / 4;
  const size_t version = options.wrong_version >= 0 ? options.wrong_version : 4;
  bytes[0] = static_cast<uint8_t>(version << 4 | words);
  if (options.wrong_total_length >= 0) {
    Put16(bytes, 2, static_cast<uint16_t>(options.wrong_total_length));
  }
  Put16(bytes, 4, options.id);
  Put16(bytes, 6, options.fragment_field);
  bytes[8] = options.ttl;
  std::copy_n(Address(from).bytes.begin() + 12, 4, bytes.begin() + 12);
  std::copy_n(Address(to).bytes.begin() + 12, 4, bytes.begin() + 16);
  return {Kind::kIpv4, 0x0800, bytes};
}

Layer Ipv6(std::string_view from, std::string_view to, Ipv6Options options) {
  Bytes bytes(40);
  bytes[0] = 0x60;
  if (options.wrong_payload_length >= 0) {
    Put16(bytes, 4, static_cast<uint16_t>(options.wrong_payload_length));
  }
  bytes[7] = options.hop_limit;
  std::copy_n(Address(from).bytes.begin(), 16, bytes.begin() + 8);
  std::copy_n(Address(to).bytes.begin(), 16, bytes.begin() + 24);
  return {Kind::kIpv6, 0x86dd, bytes};
}

Layer Extension(uint8_t protocol) { return {Kind::kExtension, protocol, Bytes(8)}; }

Layer Fragment6(uint32_t id, uint16_t offset, bool more) {
  Bytes bytes(8);
  Put16(bytes, 2, static_cast<uint16_t>(offset | (more ? 1 : 0)));
  Put16(bytes, 4, static_cast<uint16_t>(id >> 16));
  Put16(bytes, 6, static_cast<uint16_t>(id));
  return {Kind::kExtension, 44, bytes};
}

Layer Udp(uint16_t from, uint16_t to, int wrong_length) {
  Bytes bytes(8);
  Put16(bytes, 0, from);
  Put16(bytes, 2, to);
  if (wrong_length >= 0) Put16(bytes, 4, static_cast<uint16_t>(wrong_length));
  return {Kind::kUdp, IPPROTO_UDP, bytes};
}

Layer Tcp(uint16_t from, uint16_t to, uint8_t flags, uint32_t sequence) {
  Bytes bytes(20);
  Put16(bytes, 0, from);
  Put16(bytes, 2, to);
  Put16(bytes, 4, static_cast<uint16_t>(sequence >> 16));
  Put16(bytes, 6, static_cast<uint16_t>(sequence));
  bytes[12] = 5 << 4;
  bytes[13] = flags;
  return {Kind::kOther, IPPROTO_TCP, bytes};
}

Layer Icmp() { return {Kind::kOther, IPPROTO_ICMP, {8, 0, 0, 0, 0, 0, 0, 0}}; }
Layer Icmpv6() { return {Kind::kOther, IPPROTO_ICMPV6, {135, 0, 0, 0, 0, 0, 0, 0}}; }

std::string Rtp(RtpFields fields) {
  Bytes bytes(12 + fields.payload);
  bytes[0] = static_cast<uint8_t>(fields.version << 6);
  bytes[1] = fields.payload_type;
  Put16(bytes, 2, fields.sequence);
  Put16(bytes, 8, static_cast<uint16_t>(fields.ssrc >> 16));
  Put16(bytes, 10, static_cast<uint16_t>(fields.ssrc));
  return {bytes.begin(), bytes.end()};
}

std::string Rtcp(uint8_t type, uint16_t words_less_one, size_t size) {
  Bytes bytes(size);
  bytes[0] = 0x80;
  bytes[1] = type;
  Put16(bytes, 2, words_less_one);
  return {bytes.begin(), bytes.end()};
}

}  // namespace stem
