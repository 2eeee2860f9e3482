// SPDX-License-Identifier: Apache-2.0
#include "ctl/simulate/frame.h"

#include <netinet/in.h>

#include <algorithm>

#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem::ctl {
namespace {

constexpr size_t kIpv4 = 20;
constexpr size_t kIpv6 = 40;
constexpr size_t kLargest = 3000;  // XDP takes frames of one page, headroom deducted

std::string Word(uint32_t value) {  // 16 bits, network order
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}
std::string Long(uint32_t value) { return Word(value >> 16) + Word(value & 0xffff); }

// RFC 1071: ones' complement sum of 16-bit words.
uint32_t Sum(std::string_view bytes, uint32_t sum = 0) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    sum += static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << (i % 2 == 0 ? 8 : 0);
  }
  return sum;
}
uint16_t Checksum(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

std::string AddressBytes(const IpAddress& address) {
  const size_t skip = address.is_v4() ? 12 : 0;
  return {reinterpret_cast<const char*>(address.bytes.data()) + skip, 16 - skip};
}

uint8_t ProtocolOf(const PacketDescription& d) {
  switch (d.transport) {
    case Transport::kUdp:
      return IPPROTO_UDP;
    case Transport::kTcp:
      return IPPROTO_TCP;
    case Transport::kIcmp:
      break;
  }
  if (d.source.address.is_v4()) return IPPROTO_ICMP;
  return IPPROTO_ICMPV6;
}

// The transport header with its payload; where its checksum lies.
std::pair<std::string, size_t> Segment(const PacketDescription& d) {
  const std::string ports = Word(d.source.port) + Word(d.destination.port);
  switch (d.transport) {
    case Transport::kUdp:
      return {ports + Word(static_cast<uint32_t>(8 + d.payload.size())) + Word(0) + d.payload, 6};
    case Transport::kTcp:
      return {ports + Long(1) + Long(0) + std::string{0x50, static_cast<char>(d.tcp_flags)} +
                  Word(0xffff) + Word(0) + Word(0) + d.payload,
              16};
    case Transport::kIcmp:
      break;
  }
  const uint32_t echo = d.source.address.is_v4() ? 8 : 128;
  return {Word(echo << 8) + Word(0) + Word(1) + Word(1) + d.payload, 2};
}

}  // namespace

absl::StatusOr<std::string> BuildFrame(const PacketDescription& d) {
  const bool v4 = d.source.address.is_v4();
  if (v4 != d.destination.address.is_v4()) {
    return absl::InvalidArgumentError(fmt::format("nothing goes from {} to {}",
                                                  d.source.address.ToString(),
                                                  d.destination.address.ToString()));
  }
  if (d.payload.size() > kLargest) {
    return absl::InvalidArgumentError(
        fmt::format("{} bytes of payload: {} at most", d.payload.size(), kLargest));
  }
  const uint8_t protocol = ProtocolOf(d);
  auto [segment, checksum_at] = Segment(d);
  const auto length = static_cast<uint32_t>(segment.size());
  const std::string addresses =
      AddressBytes(d.source.address) + AddressBytes(d.destination.address);
  uint32_t sum = Sum(segment);
  if (protocol != IPPROTO_ICMP) sum = Sum(addresses, sum + protocol + length);
  const uint16_t check = Checksum(sum);
  segment.replace(checksum_at, 2, Word(check == 0 ? 0xffff : check));

  const std::string macs(12, '\x02');
  if (!v4) {
    return macs + Word(0x86dd) + Long(0x60000000) + Word(length) +
           std::string{static_cast<char>(protocol), 64} + addresses + segment;
  }
  std::string header = Word(0x4500) + Word(static_cast<uint32_t>(kIpv4) + length) + Word(0) +
                       Word(0) + std::string{64, static_cast<char>(protocol)} + Word(0) + addresses;
  header.replace(10, 2, Word(Checksum(Sum(header))));
  return macs + Word(0x0800) + header + segment;
}

std::string DescribeFrame(std::string_view frame) {
  const auto byte = [&](size_t at) {
    return at < frame.size() ? static_cast<uint32_t>(static_cast<uint8_t>(frame[at])) : 0;
  };
  const auto word = [&](size_t at) { return byte(at) << 8 | byte(at + 1); };
  const std::string size = fmt::format("{} bytes", frame.size());
  size_t at = 12;
  while (word(at) == 0x8100 || word(at) == 0x88a8) at += 4;
  const uint32_t type = word(at);
  at += 2;
  const bool v4 = type == 0x0800;
  if (type == 0x0806) return fmt::format("arp, {}", size);
  if ((!v4 && type != 0x86dd) || frame.size() < at + (v4 ? kIpv4 : kIpv6)) {
    return fmt::format("type {:04x}, {}", type, size);
  }
  const auto* bytes = reinterpret_cast<const uint8_t*>(frame.data()) + at;
  Endpoint source{v4 ? IpAddress::FromV4(bytes + 12) : IpAddress::FromV6(bytes + 8), 0};
  Endpoint destination{v4 ? IpAddress::FromV4(bytes + 16) : IpAddress::FromV6(bytes + 24), 0};
  const uint32_t protocol = byte(at + (v4 ? 9 : 6));
  const bool later_fragment = v4 && (word(at + 6) & 0x1fff) != 0;
  const size_t transport = at + (v4 ? (byte(at) & 15) * 4 : kIpv6);
  const bool ports = (protocol == IPPROTO_UDP || protocol == IPPROTO_TCP) && !later_fragment;
  const std::string name = protocol == IPPROTO_UDP      ? "udp"
                           : protocol == IPPROTO_TCP    ? "tcp"
                           : protocol == IPPROTO_ICMP   ? "icmp"
                           : protocol == IPPROTO_ICMPV6 ? "icmpv6"
                                                        : fmt::format("protocol {}", protocol);
  if (!ports) {
    return fmt::format("{} {} > {}, {}{}", name, source.address.ToString(),
                       destination.address.ToString(), later_fragment ? "fragment, " : "", size);
  }
  source.port = static_cast<uint16_t>(word(transport));
  destination.port = static_cast<uint16_t>(word(transport + 2));
  return fmt::format("{} {} > {}, {}", name, source.ToString(), destination.ToString(), size);
}

}  // namespace stem::ctl
