// SPDX-License-Identifier: Apache-2.0
// The one type for IP addresses, endpoints and prefixes: 16 bytes, IPv4 as v4-mapped IPv6.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace stem {

// An IPv4 or IPv6 address in network order; IPv4 is held as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2).
struct IpAddress {
  std::array<uint8_t, 16> bytes{};

  // Accepts dotted IPv4, IPv6, and IPv6 in brackets. INVALID_ARGUMENT names the text.
  static absl::StatusOr<IpAddress> Parse(std::string_view text);
  static IpAddress FromV4(const uint8_t* four_bytes);
  static IpAddress FromV6(const uint8_t* sixteen_bytes);

  bool is_v4() const;
  bool is_unspecified() const;   // 0.0.0.0 or ::
  bool is_loopback() const;      // 127.0.0.0/8 or ::1
  bool is_multicast() const;     // 224.0.0.0/4, 255.255.255.255 or ff00::/8
  std::string ToString() const;  // "192.0.2.1", "2001:db8::1"

  auto operator<=>(const IpAddress&) const = default;
};

// Address and port; port in host order.
struct Endpoint {
  IpAddress address;
  uint16_t port = 0;

  // "192.0.2.1:5060" or "[2001:db8::1]:5060".
  static absl::StatusOr<Endpoint> Parse(std::string_view text);
  std::string ToString() const;

  auto operator<=>(const Endpoint&) const = default;
};

// An address prefix; length counts bits of the address family it was written in.
struct Prefix {
  IpAddress address;
  int bits = 0;  // of the 16-byte form: an IPv4 /24 is 120

  // "192.0.2.0/24", "2001:db8::/32", or a lone address. INVALID_ARGUMENT for host bits set.
  static absl::StatusOr<Prefix> Parse(std::string_view text);
  bool Contains(const IpAddress& candidate) const;
  std::array<uint8_t, 16> Mask() const;
  std::string ToString() const;

  bool operator==(const Prefix&) const = default;
};

template <typename H>
H AbslHashValue(H h, const IpAddress& a) {
  return H::combine(std::move(h), a.bytes);
}
template <typename H>
H AbslHashValue(H h, const Endpoint& e) {
  return H::combine(std::move(h), e.address, e.port);
}

}  // namespace stem
