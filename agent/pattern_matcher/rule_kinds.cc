// SPDX-License-Identifier: Apache-2.0
#include "agent/pattern_matcher/rule_kinds.h"

#include <netinet/in.h>

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "fmt/format.h"

namespace stem {
namespace {

constexpr std::array<std::pair<std::string_view, uint8_t>, 7> kProtocols = {
    {{"tcp", IPPROTO_TCP},
     {"udp", IPPROTO_UDP},
     {"icmp", IPPROTO_ICMP},
     {"icmpv6", IPPROTO_ICMPV6},
     {"sctp", IPPROTO_SCTP},
     {"gre", IPPROTO_GRE},
     {"esp", IPPROTO_ESP}}};

// In the order of the header's bits (RFC 9293, 3.1), lowest first.
constexpr std::array<std::string_view, 8> kFlags = {"fin", "syn", "rst", "psh",
                                                    "ack", "urg", "ece", "cwr"};

template <typename T>
std::optional<T> Decimal(std::string_view text) {
  T number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// False when the word is no flag.
bool AddFlag(std::string_view word, TcpFlags& flags) {
  while (word.starts_with(' ')) word.remove_prefix(1);
  while (word.ends_with(' ')) word.remove_suffix(1);
  const bool clear = word.starts_with('!');
  if (clear) word.remove_prefix(1);
  for (size_t bit = 0; bit < kFlags.size(); ++bit) {
    if (word != kFlags[bit]) continue;
    const auto flag = static_cast<uint8_t>(1u << bit);
    if ((flags.mask & flag) != 0) return false;  // twice, or set and clear at once
    flags.mask |= flag;
    if (!clear) flags.value |= flag;
    return true;
  }
  return false;
}

}  // namespace

void PortRangeText::Read(const ConfigValue& value, PortRange& target) const {
  const std::string* text = value.AnyText(Right());
  if (text == nullptr) return;
  const size_t dash = text->find('-');
  const std::string_view whole(*text);
  const auto first = Decimal<uint16_t>(whole.substr(0, dash));
  const auto last = dash == std::string::npos ? first : Decimal<uint16_t>(whole.substr(dash + 1));
  if (!first || !last || *first > *last) {
    value.Error(fmt::format("'{}' is not a range of ports", *text), Right());
    return;
  }
  target = {*first, *last};
}

std::string ProtocolText::Right() const {
  std::string words;
  for (const auto& [name, number] : kProtocols) words += fmt::format("{}, ", name);
  return words + "any, or a number from 0 to 255";
}

void ProtocolText::Read(const ConfigValue& value, std::optional<uint8_t>& target) const {
  const std::string* text = value.AnyText(Right());
  if (text == nullptr) return;
  if (*text == "any") {
    target.reset();
    return;
  }
  for (const auto& [name, number] : kProtocols) {
    if (*text == name) {
      target = number;
      return;
    }
  }
  if (const auto number = Decimal<uint8_t>(*text)) {
    target = *number;
  } else {
    value.Error(fmt::format("'{}' is not a protocol", *text), Right());
  }
}

std::string TcpFlagsText::Right() const {
  return fmt::format("flags and !flags, each once, for example syn,!ack ({})",
                     fmt::join(kFlags, ", "));
}

void TcpFlagsText::Read(const ConfigValue& value, TcpFlags& target) const {
  const std::string* text = value.AnyText(Right());
  if (text == nullptr) return;
  TcpFlags flags;
  std::string_view rest(*text);
  for (;;) {
    const size_t comma = rest.find(',');
    if (!AddFlag(rest.substr(0, comma), flags)) {
      value.Error(fmt::format("'{}' is not a list of TCP flags", *text), Right());
      return;
    }
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  target = flags;
}

std::string ProtocolName(uint8_t protocol) {
  for (const auto& [name, number] : kProtocols) {
    if (number == protocol) return std::string(name);
  }
  return fmt::format("{}", protocol);
}

std::string FlagsText(const TcpFlags& flags) {
  std::string out;
  for (size_t bit = 0; bit < kFlags.size(); ++bit) {
    if ((flags.mask >> bit & 1) == 0) continue;
    out += fmt::format("{}{}{}", out.empty() ? "" : ",", (flags.value >> bit & 1) != 0 ? "" : "!",
                       kFlags[bit]);
  }
  return out;
}

std::string PortsText(const PortRange& range) {
  if (range.any()) return "";
  if (range.first == range.last) return fmt::format("{}", range.first);
  return fmt::format("{}-{}", range.first, range.last);
}

}  // namespace stem
