// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/ip_packet.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "agent/dataplane/read_at.h"
#include "common/status_macros.h"

namespace stem {
namespace {

constexpr size_t kVlanTagLength = 4;
constexpr uint8_t kHopLimit = 64;

// RFC 1071: ones' complement sum of big-endian 16-bit words.
uint32_t Sum(std::span<const uint8_t> bytes, uint32_t sum = 0) {
  size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) sum += static_cast<uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  if (i < bytes.size()) sum += static_cast<uint32_t>(bytes[i] << 8);
  return sum;
}

uint16_t Fold(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

// Sum over the pseudo-header (RFC 768; RFC 8200, 8.1).
uint32_t PseudoHeaderSum(const IpAddress& source, const IpAddress& destination, uint32_t length) {
  const size_t skip = source.is_v4() ? 12 : 0;
  uint32_t sum = Sum(std::span(source.bytes).subspan(skip));
  sum = Sum(std::span(destination.bytes).subspan(skip), sum);
  return sum + IPPROTO_UDP + (length >> 16) + (length & 0xffff);
}

// Where the transport header of a packet lies, and between whom it travels.
struct NetworkLayer {
  IpAddress source;
  IpAddress destination;
  size_t length = 0;            // IP header to end of packet
  size_t transport_offset = 0;  // from the start of the IP header
};

absl::Status NotUdp() { return absl::InvalidArgumentError("not a UDP packet"); }
absl::Status BadLength() { return absl::InvalidArgumentError("lengths do not fit the frame"); }

absl::StatusOr<NetworkLayer> DecodeIpv4(std::span<const uint8_t> packet) {
  const auto ip = ReadAt<iphdr>(packet, 0);
  if (!ip) return BadLength();
  const size_t header = ip->ihl * 4u;
  const size_t total = ntohs(ip->tot_len);
  if (header < sizeof(iphdr) || total < header || total > packet.size()) return BadLength();
  if (ip->protocol != IPPROTO_UDP) return NotUdp();
  if (ntohs(ip->frag_off) & (IP_MF | IP_OFFMASK)) {
    return absl::InvalidArgumentError("a fragment");
  }
  return NetworkLayer{IpAddress::FromV4(reinterpret_cast<const uint8_t*>(&ip->saddr)),
                      IpAddress::FromV4(reinterpret_cast<const uint8_t*>(&ip->daddr)), total,
                      header};
}

bool IsExtensionHeader(uint8_t next) {
  return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
         next == IPPROTO_AH || next == IPPROTO_MH || next == 139 /* HIP */ ||
         next == 140 /* Shim6 */;
}

absl::StatusOr<NetworkLayer> DecodeIpv6(std::span<const uint8_t> packet) {
  const auto ip = ReadAt<ip6_hdr>(packet, 0);
  if (!ip) return BadLength();
  const size_t total = sizeof(ip6_hdr) + ntohs(ip->ip6_plen);
  if (total > packet.size()) return BadLength();
  size_t offset = sizeof(ip6_hdr);
  uint8_t next = ip->ip6_nxt;
  while (IsExtensionHeader(next)) {
    const auto extension = ReadAt<ip6_ext>(packet.first(total), offset);
    if (!extension) return BadLength();
    offset += next == IPPROTO_AH ? (extension->ip6e_len + 2u) * 4 : (extension->ip6e_len + 1u) * 8;
    next = extension->ip6e_nxt;
  }
  if (next != IPPROTO_UDP) return NotUdp();
  const NetworkLayer layer{IpAddress::FromV6(reinterpret_cast<const uint8_t*>(&ip->ip6_src)),
                           IpAddress::FromV6(reinterpret_cast<const uint8_t*>(&ip->ip6_dst)), total,
                           offset};
  if (layer.source.is_v4() || layer.destination.is_v4()) {
    return absl::InvalidArgumentError("an IPv4 address in an IPv6 header");
  }
  return layer;
}

// Finishes or judges the checksum in `packet`, whose UDP header starts at `offset`.
absl::Status SettleChecksum(std::string& packet, const NetworkLayer& ip, size_t udp_length) {
  auto* bytes = reinterpret_cast<uint8_t*>(packet.data());
  udphdr udp;
  std::memcpy(&udp, bytes + ip.transport_offset, sizeof(udp));
  if (udp.check == 0) {
    if (ip.source.is_v4()) return absl::OkStatus();
    return absl::DataLossError("UDP over IPv6 without a checksum (RFC 8200, 8.1)");
  }
  const uint32_t pseudo =
      PseudoHeaderSum(ip.source, ip.destination, static_cast<uint32_t>(udp_length));
  const std::span<const uint8_t> segment(bytes + ip.transport_offset, udp_length);
  if (Fold(Sum(segment, pseudo)) == 0xffff) return absl::OkStatus();
  if (ntohs(udp.check) != Fold(pseudo)) return absl::DataLossError("wrong UDP checksum");
  udp.check = 0;
  std::memcpy(bytes + ip.transport_offset, &udp, sizeof(udp));
  const uint16_t check = ~Fold(Sum(segment, pseudo));
  udp.check = htons(check == 0 ? 0xffff : check);
  std::memcpy(bytes + ip.transport_offset, &udp, sizeof(udp));
  return absl::OkStatus();
}

}  // namespace

std::span<const uint8_t> IpPacketIn(std::span<const uint8_t> frame) {
  size_t offset = offsetof(ethhdr, h_proto);
  auto type = ReadAt<uint16_t>(frame, offset);
  for (int tags = 0;
       tags < 2 && type && (ntohs(*type) == ETH_P_8021Q || ntohs(*type) == ETH_P_8021AD); ++tags) {
    offset += kVlanTagLength;
    type = ReadAt<uint16_t>(frame, offset);
  }
  if (!type || (ntohs(*type) != ETH_P_IP && ntohs(*type) != ETH_P_IPV6)) return {};
  return frame.subspan(offset + sizeof(*type));
}

absl::StatusOr<Datagram> DecodeFrame(std::span<const uint8_t> frame) {
  return DecodePacket(IpPacketIn(frame));
}

absl::StatusOr<Datagram> DecodePacket(std::span<const uint8_t> packet) {
  if (packet.empty() || (packet[0] >> 4 != 4 && packet[0] >> 4 != 6)) return NotUdp();
  ASSIGN_OR_RETURN(const NetworkLayer ip,
                   packet[0] >> 4 == 4 ? DecodeIpv4(packet) : DecodeIpv6(packet));

  const auto udp = ReadAt<udphdr>(packet.first(ip.length), ip.transport_offset);
  if (!udp) return BadLength();
  const size_t udp_length = ntohs(udp->len);
  if (udp_length < sizeof(udphdr) || ip.transport_offset + udp_length > ip.length) {
    return BadLength();
  }
  Datagram out;
  out.source = {ip.source, ntohs(udp->source)};
  out.destination = {ip.destination, ntohs(udp->dest)};
  out.ip_packet.assign(reinterpret_cast<const char*>(packet.data()), ip.length);
  RETURN_IF_ERROR(SettleChecksum(out.ip_packet, ip, udp_length));
  out.payload =
      out.ip_packet.substr(ip.transport_offset + sizeof(udphdr), udp_length - sizeof(udphdr));
  return out;
}

absl::StatusOr<std::string> EncodeUdp(const Endpoint& source, const Endpoint& destination,
                                      std::string_view payload, uint16_t id) {
  const bool v4 = source.address.is_v4();
  if (v4 != destination.address.is_v4()) {
    return absl::InvalidArgumentError("source and destination are of different address families");
  }
  const size_t header = v4 ? sizeof(iphdr) : sizeof(ip6_hdr);
  const size_t udp_length = sizeof(udphdr) + payload.size();
  if ((v4 ? header : 0) + udp_length > 0xffff) {
    return absl::InvalidArgumentError("payload does not fit into one UDP datagram");
  }
  std::string packet(header + udp_length, '\0');
  auto* bytes = reinterpret_cast<uint8_t*>(packet.data());
  if (v4) {
    iphdr ip{};
    ip.version = 4;
    ip.ihl = sizeof(iphdr) / 4;
    ip.tot_len = htons(static_cast<uint16_t>(packet.size()));
    ip.id = htons(id);
    ip.ttl = kHopLimit;
    ip.protocol = IPPROTO_UDP;
    std::memcpy(&ip.saddr, source.address.bytes.data() + 12, 4);
    std::memcpy(&ip.daddr, destination.address.bytes.data() + 12, 4);
    const std::span<const uint8_t> view(reinterpret_cast<const uint8_t*>(&ip), sizeof(ip));
    ip.check = htons(static_cast<uint16_t>(~Fold(Sum(view))));
    std::memcpy(bytes, &ip, sizeof(ip));
  } else {
    ip6_hdr ip{};
    ip.ip6_flow = htonl(6u << 28);
    ip.ip6_plen = htons(static_cast<uint16_t>(udp_length));
    ip.ip6_nxt = IPPROTO_UDP;
    ip.ip6_hlim = kHopLimit;
    std::memcpy(&ip.ip6_src, source.address.bytes.data(), 16);
    std::memcpy(&ip.ip6_dst, destination.address.bytes.data(), 16);
    std::memcpy(bytes, &ip, sizeof(ip));
  }
  udphdr udp{};
  udp.source = htons(source.port);
  udp.dest = htons(destination.port);
  udp.len = htons(static_cast<uint16_t>(udp_length));
  std::memcpy(bytes + header, &udp, sizeof(udp));
  std::copy(payload.begin(), payload.end(),
            packet.begin() + static_cast<long>(header + sizeof(udp)));
  const uint32_t pseudo =
      PseudoHeaderSum(source.address, destination.address, static_cast<uint32_t>(udp_length));
  const uint16_t check = ~Fold(Sum({bytes + header, udp_length}, pseudo));
  udp.check = htons(check == 0 ? 0xffff : check);
  std::memcpy(bytes + header, &udp, sizeof(udp));
  return packet;
}

}  // namespace stem
