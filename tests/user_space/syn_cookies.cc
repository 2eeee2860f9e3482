// SPDX-License-Identifier: Apache-2.0
// SYN cookies with the kernel's contract, not its numbers: those are secret. A cookie is made for
// addresses, ports and the sequence number of a SYN; the ACK that brings it back has that number
// plus one and acknowledges the cookie plus one.
#include <arpa/inet.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include <cerrno>
#include <span>

#include "tests/user_space/running_machine.h"

namespace {

constexpr long kDefaultMss = 536;

// FNV-1a.
uint64_t Mix(uint64_t hash, std::span<const uint8_t> bytes) {
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

template <typename T>
std::span<const uint8_t> BytesOf(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof(value)};
}

template <typename Ip>
uint32_t Cookie(const Ip& ip, const tcphdr& tcp, uint32_t sequence) {
  uint64_t hash = stem::running_machine->cookie_secret ^ 0xcbf29ce484222325;
  hash = Mix(Mix(hash, BytesOf(ip.saddr)), BytesOf(ip.daddr));
  hash = Mix(Mix(hash, BytesOf(tcp.source)), BytesOf(tcp.dest));
  hash = Mix(hash, BytesOf(sequence));
  return static_cast<uint32_t>(hash ^ hash >> 32);
}

template <typename Ip>
__s64 Make(const Ip& ip, const tcphdr& tcp, uint32_t size) {
  if (size < sizeof(tcp) || size != tcp.doff * 4u) return -EINVAL;
  return kDefaultMss << 32 | Cookie(ip, tcp, ntohl(tcp.seq));
}

template <typename Ip>
long Check(const Ip& ip, const tcphdr& tcp) {
  return ntohl(tcp.ack_seq) - 1 == Cookie(ip, tcp, ntohl(tcp.seq) - 1) ? 0 : -EACCES;
}

}  // namespace

__s64 user_space_make_cookie4(const iphdr* ip, const tcphdr* tcp, __u32 size) {
  return Make(*ip, *tcp, size);
}
__s64 user_space_make_cookie6(const ipv6hdr* ip, const tcphdr* tcp, __u32 size) {
  return Make(*ip, *tcp, size);
}
long user_space_check_cookie4(const iphdr* ip, const tcphdr* tcp) { return Check(*ip, *tcp); }
long user_space_check_cookie6(const ipv6hdr* ip, const tcphdr* tcp) { return Check(*ip, *tcp); }
