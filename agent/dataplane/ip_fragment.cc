// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/ip_fragment.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "agent/dataplane/read_at.h"

namespace stem {
namespace {

constexpr size_t kUnit = 8;  // offsets count these
constexpr size_t kMostBytes = 65535;

// RFC 1071, of a header whose checksum field is zero.
uint16_t HeaderChecksum(std::span<const uint8_t> header) {
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < header.size(); i += 2) {
    sum += static_cast<uint32_t>(header[i] << 8 | header[i + 1]);
  }
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

std::optional<IpFragment> ReadIpv4(std::span<const uint8_t> packet) {
  const auto ip = ReadAt<iphdr>(packet, 0);
  if (!ip) return std::nullopt;
  const size_t header = ip->ihl * 4u;
  const size_t total = ntohs(ip->tot_len);
  const unsigned offset = ntohs(ip->frag_off);
  if (header < sizeof(iphdr) || total < header || total > packet.size()) return std::nullopt;
  if ((offset & (IP_MF | IP_OFFMASK)) == 0) return std::nullopt;
  IpFragment out;
  out.source = IpAddress::FromV4(reinterpret_cast<const uint8_t*>(&ip->saddr));
  out.destination = IpAddress::FromV4(reinterpret_cast<const uint8_t*>(&ip->daddr));
  out.id = ntohs(ip->id);
  out.protocol = ip->protocol;
  out.offset = (offset & IP_OFFMASK) * kUnit;
  out.more = (offset & IP_MF) != 0;
  out.headers = packet.first(header);
  out.data = packet.subspan(header, total - header);
  out.length = total;
  return out;
}

// Headers that each fragment carries (RFC 8200, 4.5).
bool IsPerFragment(uint8_t next) {
  return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS;
}

struct Chain {
  uint8_t next = 0;  // first header that is not per fragment
  size_t next_at = offsetof(ip6_hdr, ip6_nxt);
  size_t length = sizeof(ip6_hdr);
};

std::optional<Chain> PerFragmentHeaders(std::span<const uint8_t> packet) {
  Chain chain;
  chain.next = packet[chain.next_at];
  while (IsPerFragment(chain.next)) {
    const auto extension = ReadAt<ip6_ext>(packet, chain.length);
    if (!extension) return std::nullopt;
    chain.next = extension->ip6e_nxt;
    chain.next_at = chain.length;
    chain.length += (extension->ip6e_len + 1u) * kUnit;
  }
  return chain.length <= packet.size() ? std::optional(chain) : std::nullopt;
}

std::optional<IpFragment> ReadIpv6(std::span<const uint8_t> packet) {
  const auto ip = ReadAt<ip6_hdr>(packet, 0);
  if (!ip) return std::nullopt;
  const size_t total = sizeof(ip6_hdr) + ntohs(ip->ip6_plen);
  if (total > packet.size()) return std::nullopt;
  packet = packet.first(total);
  const std::optional<Chain> chain = PerFragmentHeaders(packet);
  if (!chain || chain->next != IPPROTO_FRAGMENT) return std::nullopt;
  const auto fragment = ReadAt<ip6_frag>(packet, chain->length);
  if (!fragment) return std::nullopt;
  const unsigned offset = ntohs(fragment->ip6f_offlg);
  IpFragment out;
  out.source = IpAddress::FromV6(reinterpret_cast<const uint8_t*>(&ip->ip6_src));
  out.destination = IpAddress::FromV6(reinterpret_cast<const uint8_t*>(&ip->ip6_dst));
  if (out.source.is_v4() || out.destination.is_v4()) return std::nullopt;
  out.id = ntohl(fragment->ip6f_ident);
  out.offset = offset & 0xfff8;
  out.more = (offset & 1) != 0;
  out.headers = packet.first(chain->length);
  out.next_header_at = chain->next_at;
  out.next_header = fragment->ip6f_nxt;
  out.data = packet.subspan(chain->length + sizeof(ip6_frag));
  out.length = total;
  return out;
}

void SetPayloadLength(std::string& packet) {
  const uint16_t length = htons(static_cast<uint16_t>(packet.size() - sizeof(ip6_hdr)));
  std::memcpy(packet.data() + offsetof(ip6_hdr, ip6_plen), &length, sizeof(length));
}

}  // namespace

std::optional<IpFragment> ReadFragment(std::span<const uint8_t> ip_packet) {
  if (ip_packet.empty()) return std::nullopt;
  if (ip_packet[0] >> 4 == 4) return ReadIpv4(ip_packet);
  if (ip_packet[0] >> 4 == 6) return ReadIpv6(ip_packet);
  return std::nullopt;
}

std::optional<std::string> WholePacket(const IpFragment& first, std::string_view data) {
  std::string packet(first.headers.begin(), first.headers.end());
  const bool v4 = first.source.is_v4();
  if (packet.size() - (v4 ? 0 : sizeof(ip6_hdr)) + data.size() > kMostBytes) return std::nullopt;
  packet += data;
  if (!v4) {
    packet[first.next_header_at] = static_cast<char>(first.next_header);
    SetPayloadLength(packet);
    return packet;
  }
  iphdr ip;
  std::memcpy(&ip, packet.data(), sizeof(ip));
  ip.tot_len = htons(static_cast<uint16_t>(packet.size()));
  ip.frag_off = 0;
  ip.check = 0;
  std::memcpy(packet.data(), &ip, sizeof(ip));
  ip.check = htons(
      HeaderChecksum({reinterpret_cast<const uint8_t*>(packet.data()), first.headers.size()}));
  std::memcpy(packet.data(), &ip, sizeof(ip));
  return packet;
}

std::vector<std::string> SplitIpv6(std::string_view packet, size_t size, uint32_t id) {
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(packet.data()),
                                       packet.size());
  if (packet.size() <= size || packet.size() < sizeof(ip6_hdr)) return {std::string(packet)};
  const std::optional<Chain> chain = PerFragmentHeaders(bytes);
  if (!chain || size < chain->length + sizeof(ip6_frag) + kUnit) return {std::string(packet)};
  const std::string_view headers = packet.substr(0, chain->length);
  std::string_view data = packet.substr(chain->length);
  const size_t room = (size - headers.size() - sizeof(ip6_frag)) / kUnit * kUnit;
  std::vector<std::string> out;
  for (size_t offset = 0; offset < data.size(); offset += room) {
    const std::string_view part = data.substr(offset, room);
    const bool more = offset + part.size() < data.size();
    ip6_frag fragment{};
    fragment.ip6f_nxt = chain->next;
    fragment.ip6f_offlg = htons(static_cast<uint16_t>(offset | (more ? 1 : 0)));
    fragment.ip6f_ident = htonl(id);
    std::string made(headers);
    made[chain->next_at] = static_cast<char>(IPPROTO_FRAGMENT);
    made.append(reinterpret_cast<const char*>(&fragment), sizeof(fragment));
    made += part;
    SetPayloadLength(made);
    out.push_back(std::move(made));
  }
  return out;
}

}  // namespace stem
