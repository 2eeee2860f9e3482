// SPDX-License-Identifier: Apache-2.0
#include "common/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include <charconv>

#include "fmt/format.h"

namespace stem {
namespace {

constexpr std::array<uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kV4PrefixBits = 96;

// Decimal digits only, no sign, at most `limit`.
bool ParseDecimal(std::string_view text, uint32_t limit, uint32_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && error == std::errc() && end == text.data() + text.size() && out <= limit;
}

absl::StatusOr<uint16_t> ParsePort(std::string_view text) {
  uint32_t port = 0;
  if (!ParseDecimal(text, 65535, port)) {
    return absl::InvalidArgumentError(fmt::format("'{}' is not a port (0 to 65535)", text));
  }
  return static_cast<uint16_t>(port);
}

}  // namespace

absl::StatusOr<IpAddress> IpAddress::Parse(std::string_view text) {
  std::string copy(text);
  if (copy.size() > 2 && copy.front() == '[' && copy.back() == ']') {
    copy = copy.substr(1, copy.size() - 2);
  }
  uint8_t raw[16];
  if (inet_pton(AF_INET, copy.c_str(), raw) == 1 && copy.size() == text.size()) return FromV4(raw);
  if (inet_pton(AF_INET6, copy.c_str(), raw) == 1) return FromV6(raw);
  return absl::InvalidArgumentError(fmt::format("'{}' is not an IPv4 or IPv6 address", copy));
}

IpAddress IpAddress::FromV4(const uint8_t* four_bytes) {
  IpAddress out;
  std::copy(kV4Prefix.begin(), kV4Prefix.end(), out.bytes.begin());
  std::memcpy(out.bytes.data() + kV4Prefix.size(), four_bytes, 4);
  return out;
}

IpAddress IpAddress::FromV6(const uint8_t* sixteen_bytes) {
  IpAddress out;
  std::memcpy(out.bytes.data(), sixteen_bytes, 16);
  return out;
}

bool IpAddress::is_v4() const {
  return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes.begin());
}

bool IpAddress::is_unspecified() const {
  const size_t start = is_v4() ? kV4Prefix.size() : 0;
  return std::all_of(bytes.begin() + start, bytes.end(), [](uint8_t b) { return b == 0; });
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes[12] == 127;
  return bytes[15] == 1 &&
         std::all_of(bytes.begin(), bytes.end() - 1, [](uint8_t b) { return b == 0; });
}

bool IpAddress::is_multicast() const {
  if (!is_v4()) return bytes[0] == 0xff;
  return (bytes[12] & 0xf0) == 0xe0 ||
         std::all_of(bytes.begin() + 12, bytes.end(), [](uint8_t b) { return b == 0xff; });
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN];
  if (is_v4()) {
    inet_ntop(AF_INET, bytes.data() + kV4Prefix.size(), text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, bytes.data(), text, sizeof(text));
  }
  return text;
}

absl::StatusOr<Endpoint> Endpoint::Parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  const std::string_view host =
      text.substr(0, colon == std::string_view::npos ? text.size() : colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (colon == std::string_view::npos || (!bracketed && host.find(':') != std::string_view::npos)) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not ADDRESS:PORT (write IPv6 as [2001:db8::1]:5060)", text));
  }
  absl::StatusOr<IpAddress> address = IpAddress::Parse(host);
  if (!address.ok()) return address.status();
  absl::StatusOr<uint16_t> port = ParsePort(text.substr(colon + 1));
  if (!port.ok()) return port.status();
  return Endpoint{*address, *port};
}

std::string Endpoint::ToString() const {
  if (address.is_v4()) return fmt::format("{}:{}", address.ToString(), port);
  return fmt::format("[{}]:{}", address.ToString(), port);
}

absl::StatusOr<Prefix> Prefix::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  absl::StatusOr<IpAddress> address = IpAddress::Parse(text.substr(0, slash));
  if (!address.ok()) return address.status();
  Prefix out{*address, 128};
  if (slash != std::string_view::npos) {
    const uint32_t widest = address->is_v4() ? 32 : 128;
    uint32_t bits = 0;
    if (!ParseDecimal(text.substr(slash + 1), widest, bits)) {
      return absl::InvalidArgumentError(
          fmt::format("'{}': prefix length must be 0 to {}", text, widest));
    }
    out.bits = static_cast<int>(bits) + (address->is_v4() ? kV4PrefixBits : 0);
  }
  const std::array<uint8_t, 16> mask = out.Mask();
  for (size_t i = 0; i < mask.size(); ++i) {
    if (out.address.bytes[i] & ~mask[i]) {
      return absl::InvalidArgumentError(
          fmt::format("'{}' has bits set after its prefix length", text));
    }
  }
  return out;
}

std::array<uint8_t, 16> Prefix::Mask() const {
  std::array<uint8_t, 16> mask{};
  for (int i = 0; i < bits; ++i) mask[i / 8] |= static_cast<uint8_t>(0x80 >> (i % 8));
  return mask;
}

bool Prefix::Contains(const IpAddress& candidate) const {
  const std::array<uint8_t, 16> mask = Mask();
  for (size_t i = 0; i < mask.size(); ++i) {
    if ((candidate.bytes[i] & mask[i]) != address.bytes[i]) return false;
  }
  return true;
}

std::string Prefix::ToString() const {
  return fmt::format("{}/{}", address.ToString(), address.is_v4() ? bits - kV4PrefixBits : bits);
}

}  // namespace stem
