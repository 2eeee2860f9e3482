// SPDX-License-Identifier: Apache-2.0
// IP fragments as they stand on the wire: taken apart, put together, made.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"

namespace stem {

// Views into the packet it was read from.
struct IpFragment {
  IpAddress source;
  IpAddress destination;
  uint32_t id = 0;
  uint8_t protocol = 0;  // IPv4 only: there it is part of the identification (RFC 791, 3.2)
  size_t offset = 0;     // bytes
  bool more = false;
  std::span<const uint8_t> headers;  // what stands before: IP header, options, IPv6 extensions
  size_t next_header_at = 0;         // IPv6: of the octet in `headers` that says "fragment"
  uint8_t next_header = 0;           // IPv6: what belongs there instead
  std::span<const uint8_t> data;
  size_t length = 0;  // of the whole packet
};

// nullopt for what is no fragment (an IPv6 packet with a fragment header always is one, RFC 6946's
// atomic ones too), whose lengths do not fit, or that has an IPv4 address (v4-mapped) in an IPv6
// header.
std::optional<IpFragment> ReadFragment(std::span<const uint8_t> ip_packet);

// The packet `data` was the fragments of; `first` is the one with offset 0. IPv4: "don't fragment"
// is off, because it must be fragmented again. nullopt when it would be longer than a packet is.
std::optional<std::string> WholePacket(const IpFragment& first, std::string_view data);

// An IPv6 packet in fragments of at most `size` bytes each (RFC 8200, 4.5): routers do not fragment
// IPv6, so whoever puts one together takes it apart again. The packet alone when it fits.
std::vector<std::string> SplitIpv6(std::string_view packet, size_t size, uint32_t id);

}  // namespace stem
