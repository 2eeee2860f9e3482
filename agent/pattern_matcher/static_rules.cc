// SPDX-License-Identifier: Apache-2.0
#include "agent/pattern_matcher/static_rules.h"

#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string>

namespace stem {
namespace {

// One place is kept for the security manager's rule.
constexpr size_t kMostRules = STEM_MAX_RULES - 1;
constexpr uint16_t kLastPort = 65535;

struct PortRange {
  uint16_t first = 0;
  uint16_t last = kLastPort;
};

// "22" or "1024-65535".
struct PortRangeText {
  std::string Right() const { return "a port or a range of ports, for example 22 or 1024-65535"; }

  void Read(const ConfigValue& value, PortRange& target) const {
    const std::string* text = value.AnyText(Right());
    if (text == nullptr) return;
    const size_t dash = text->find('-');
    const std::string_view whole(*text);
    const std::optional<uint16_t> first = Port(whole.substr(0, dash));
    const std::optional<uint16_t> last =
        dash == std::string::npos ? first : Port(whole.substr(dash + 1));
    if (!first || !last || *first > *last) {
      value.Error(fmt::format("'{}' is not a range of ports", *text), Right());
      return;
    }
    target = {*first, *last};
  }

 private:
  static std::optional<uint16_t> Port(std::string_view text) {
    uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return port;
  }
};

void SetPrefix(const std::optional<Prefix>& prefix, __u8 (&address)[16], __u8 (&mask)[16]) {
  if (!prefix) return;  // all zero: matches every address
  std::copy(prefix->address.bytes.begin(), prefix->address.bytes.end(), address);
  const std::array<uint8_t, 16> bits = prefix->Mask();
  std::copy(bits.begin(), bits.end(), mask);
}

std::optional<Prefix> OptionalPrefix(const ConfigSection& item, std::string_view key) {
  Prefix prefix;
  if (item.At(key).absent()) return std::nullopt;
  item.Optional(key, prefix);
  return prefix;
}

stem_rule ReadRule(const ConfigSection& item) {
  stem_rule rule{};
  item.Required("action", rule.action,
                Choice<stem_rule_action>{{{"allow", STEM_RULE_ALLOW}, {"deny", STEM_RULE_DENY}}});
  item.Optional(
      "from", rule.from_side,
      Choice<stem_side>{
          {{"outside", STEM_SIDE_OUTSIDE}, {"inside", STEM_SIDE_INSIDE}, {"any", STEM_SIDE_NONE}}});
  item.Optional("protocol", rule.protocol,
                Choice<__u8>{{{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"any", 0}}});
  const std::optional<Prefix> source = OptionalPrefix(item, "source");
  const std::optional<Prefix> destination = OptionalPrefix(item, "destination");
  SetPrefix(source, rule.source, rule.source_mask);
  SetPrefix(destination, rule.destination, rule.destination_mask);
  if (source && destination && source->address.is_v4() != destination->address.is_v4()) {
    item.At("destination")
        .Error("is of another address family than source: never matches",
               "two prefixes of one family");
  }
  PortRange source_ports;
  PortRange destination_ports;
  item.Optional("source_ports", source_ports, PortRangeText{});
  item.Optional("destination_ports", destination_ports, PortRangeText{});
  rule.source_port_first = source_ports.first;
  rule.source_port_last = source_ports.last;
  rule.destination_port_first = destination_ports.first;
  rule.destination_port_last = destination_ports.last;
  const bool ports = !item.At("source_ports").absent() || !item.At("destination_ports").absent();
  if (ports && rule.protocol == 0) {
    item.At("protocol").Error("ports need a protocol that has them", "tcp or udp");
  }
  return rule;
}

}  // namespace

std::vector<stem_rule> ReadStaticRules(const ConfigSection& root) {
  std::vector<stem_rule> rules;
  std::set<std::string> names;
  for (const ConfigSection& item : root.List("rules", Count{0, kMostRules})) {
    std::string name;
    item.Required("name", name, Name{});
    if (!name.empty() && !names.insert(name).second) {
      item.At("name").Error(fmt::format("'{}' names another rule already", name),
                            "a name of its own");
    }
    rules.push_back(ReadRule(item));
  }
  return rules;
}

stem_rule AllowSecurityManager(const Endpoint& address) {
  stem_rule rule{};
  rule.action = STEM_RULE_ALLOW;
  rule.from_side = STEM_SIDE_INSIDE;
  rule.protocol = IPPROTO_TCP;
  SetPrefix(Prefix{address.address, 128}, rule.source, rule.source_mask);
  rule.source_port_first = address.port;
  rule.source_port_last = address.port;
  rule.destination_port_last = kLastPort;
  return rule;
}

}  // namespace stem
