// SPDX-License-Identifier: Apache-2.0
#include "tests/rules/rule_generator.h"

#include <netinet/in.h>

#include <algorithm>
#include <functional>

#include "fmt/format.h"

namespace stem {
namespace {

uint64_t Below(uint64_t bound, Chance& chance) { return chance() % bound; }
bool Percent(unsigned percent, Chance& chance) { return Below(100, chance) < percent; }
uint8_t Byte(Chance& chance) { return static_cast<uint8_t>(chance()); }

template <typename T>
T OneOf(std::initializer_list<T> choices, Chance& chance) {
  return *(choices.begin() + Below(choices.size(), chance));
}

Prefix Cut(IpAddress address, int bits) {
  Prefix prefix{address, bits};
  const auto mask = prefix.Mask();
  for (size_t i = 0; i < mask.size(); ++i) prefix.address.bytes[i] &= mask[i];
  return prefix;
}

IpAddress V4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  const uint8_t bytes[] = {a, b, c, d};
  return IpAddress::FromV4(bytes);
}

IpAddress RandomIn(const Prefix& prefix, Chance& chance) {
  IpAddress out = prefix.address;
  const auto mask = prefix.Mask();
  for (size_t i = 0; i < mask.size(); ++i) out.bytes[i] |= Byte(chance) & ~mask[i];
  return out;
}

// One more or one less, as a number.
IpAddress Next(IpAddress address, int step) {
  for (size_t i = 16; i-- > 0;) {
    const int sum = address.bytes[i] + step;
    address.bytes[i] = static_cast<uint8_t>(sum);
    if (sum >= 0 && sum <= 255) break;
  }
  return address;
}

IpAddress LastOf(const Prefix& prefix) {
  IpAddress out = prefix.address;
  const auto mask = prefix.Mask();
  for (size_t i = 0; i < mask.size(); ++i) out.bytes[i] |= static_cast<uint8_t>(~mask[i]);
  return out;
}

Prefix SitePrefix(int family, size_t sites, Chance& chance) {
  const uint64_t site = Below(sites, chance);
  if (family == 6) {
    IpAddress address;
    address.bytes = {
        0x20, 0x01, 0x0d, 0xb8, static_cast<uint8_t>(site >> 8), static_cast<uint8_t>(site)};
    for (size_t i = 6; i < 16; ++i) address.bytes[i] = Percent(50, chance) ? Byte(chance) : 0;
    return Cut(address, OneOf({32, 48, 48, 56, 64, 64, 64, 96, 128, 128, 128}, chance));
  }
  const IpAddress address = V4(static_cast<uint8_t>(10 + site % 90),
                               static_cast<uint8_t>(site * 37), Byte(chance), Byte(chance));
  return Cut(address, 96 + OneOf({8,  16, 16, 20, 22, 23, 24, 24, 24, 24, 26, 27, 28,
                                  28, 29, 30, 31, 32, 32, 32, 32, 32, 32, 32, 32, 32},
                                 chance));
}

PortRange SitePorts(bool source, Chance& chance) {
  const uint64_t dice = Below(100, chance);
  if (dice < (source ? 80u : 35u)) return {};
  if (dice < (source ? 92u : 45u)) return {1024, 65535};
  if (dice < (source ? 94u : 50u)) return {0, 1023};
  if (dice < 85) {
    const uint16_t port =
        OneOf<uint16_t>({20,  21,  22,  23,  25,   53,   80,   110,  123,  143,  161,
                         389, 443, 445, 993, 1433, 1521, 3306, 3389, 5060, 5061, 8080},
                        chance);
    return {port, port};
  }
  const auto first = static_cast<uint16_t>(Below(60000, chance));
  return {first, static_cast<uint16_t>(first + Below(5000, chance))};
}

std::optional<Prefix> CrowdedPrefix(int family, Chance& chance) {
  if (Percent(25, chance)) return std::nullopt;
  const auto few = [&] { return OneOf<uint8_t>({0, 1, 127, 128, 254, 255}, chance); };
  if (family == 4) {
    return Cut(V4(OneOf<uint8_t>({10, 11}, chance), few(), few(), few()),
               96 + static_cast<int>(Below(33, chance)));
  }
  IpAddress address;
  address.bytes = {0x20, 0x01};
  for (size_t i = 2; i < 16; ++i) address.bytes[i] = Percent(30, chance) ? few() : 0;
  return Cut(address, static_cast<int>(Below(129, chance)));
}

PortRange CrowdedPorts(Chance& chance) {
  if (Percent(50, chance)) return {};
  const auto a = OneOf<uint16_t>({0, 1, 79, 80, 81, 1023, 1024, 5060, 65534, 65535}, chance);
  const auto b = OneOf<uint16_t>({0, 1, 79, 80, 81, 1023, 1024, 5060, 65534, 65535}, chance);
  return {std::min(a, b), std::max(a, b)};
}

uint16_t NearPort(const PortRange& range, Chance& chance) {
  switch (Below(6, chance)) {
    case 0:
      return static_cast<uint16_t>(range.first - 1);
    case 1:
      return range.first;
    case 2:
      return range.last;
    case 3:
      return static_cast<uint16_t>(range.last + 1);
    default:
      return static_cast<uint16_t>(range.first + Below(range.last - range.first + 1u, chance));
  }
}

IpAddress NearAddress(const std::optional<Prefix>& prefix, int family, Chance& chance) {
  const Prefix all = family == 4 ? Cut(V4(10, 0, 0, 0), 96 + 7) : Cut(IpAddress(), 0);
  const Prefix& in = prefix ? *prefix : all;
  switch (Below(6, chance)) {
    case 0:
      return Next(in.address, -1);
    case 1:
      return in.address;
    case 2:
      return LastOf(in);
    case 3:
      return Next(LastOf(in), 1);
    default:
      return RandomIn(in, chance);
  }
}

// As lists are written: hosts before nets before wildcards, though not strictly.
void SortBySpecificity(std::vector<Rule>& rules, Chance& chance) {
  const auto bits = [](const std::optional<Prefix>& prefix) {
    if (!prefix) return 0;
    return prefix->address.is_v4() ? prefix->bits - 96 : prefix->bits / 4;
  };
  std::vector<std::pair<int, size_t>> order(rules.size());
  for (size_t i = 0; i < rules.size(); ++i) {
    const int noise = static_cast<int>(Below(8, chance));
    order[i] = {bits(rules[i].source) + bits(rules[i].destination) + noise, i};
  }
  std::sort(order.begin(), order.end(), std::greater<>());
  std::vector<Rule> sorted;
  for (const auto& [weight, i] : order) sorted.push_back(std::move(rules[i]));
  rules = std::move(sorted);
}

bool HasPorts(uint8_t protocol) { return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP; }

}  // namespace

std::vector<Rule> ClassBenchLikeRules(size_t count, uint64_t seed) {
  Chance chance(seed);
  const size_t sites = std::clamp<size_t>(count / 20, 4, 800);
  std::vector<Rule> rules(count);
  for (size_t i = 0; i < count; ++i) {
    Rule& rule = rules[i];
    rule.action = Percent(60, chance) ? STEM_RULE_ALLOW : STEM_RULE_DENY;
    rule.from = OneOf({STEM_SIDE_OUTSIDE, STEM_SIDE_INSIDE, STEM_SIDE_NONE}, chance);
    const int family = Percent(10, chance) ? 6 : 4;
    const bool any_source = Percent(10, chance), any_destination = Percent(5, chance);
    if (!any_source) rule.source = SitePrefix(family, sites, chance);
    if (!any_destination) rule.destination = SitePrefix(family, sites, chance);
    const uint64_t dice = Below(100, chance);
    if (dice < 60) rule.protocol = IPPROTO_TCP;
    if (dice >= 60 && dice < 85) rule.protocol = IPPROTO_UDP;
    if (dice >= 85 && dice < 90)
      rule.protocol = family == 4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
    if (dice < 85) {
      rule.source_ports = SitePorts(true, chance);
      rule.destination_ports = SitePorts(false, chance);
    }
  }
  SortBySpecificity(rules, chance);
  for (size_t i = 0; i < count; ++i) rules[i].name = fmt::format("rule-{}", i + 1);
  return rules;
}

std::vector<Rule> CrowdedRules(size_t count, Chance& chance) {
  std::vector<Rule> rules(count);
  size_t observers = 0;
  for (size_t i = 0; i < count; ++i) {
    Rule& rule = rules[i];
    rule.name = fmt::format("rule-{}", i + 1);
    rule.action = OneOf(
        {STEM_RULE_ALLOW, STEM_RULE_DENY, STEM_RULE_DENY, STEM_RULE_INSPECT, STEM_RULE_OBSERVE},
        chance);
    if (rule.action == STEM_RULE_OBSERVE && ++observers > STEM_MAX_OBSERVERS) {
      rule.action = STEM_RULE_ALLOW;
    }
    rule.from = OneOf({STEM_SIDE_OUTSIDE, STEM_SIDE_INSIDE, STEM_SIDE_NONE}, chance);
    const int family = OneOf({4, 4, 6}, chance);
    rule.source = CrowdedPrefix(family, chance);
    rule.destination = CrowdedPrefix(family, chance);
    if (Percent(75, chance)) {
      rule.protocol = OneOf<uint8_t>(
          {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_ESP}, chance);
    }
    const uint8_t protocol = rule.protocol.value_or(0);
    if (HasPorts(protocol)) {
      rule.source_ports = CrowdedPorts(chance);
      rule.destination_ports = CrowdedPorts(chance);
    }
    if (protocol == IPPROTO_TCP && Percent(40, chance)) {
      rule.tcp_flags.mask = Byte(chance) & Byte(chance);
      rule.tcp_flags.value = Byte(chance) & rule.tcp_flags.mask;
    }
    if ((protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) && Percent(50, chance)) {
      rule.icmp_type = OneOf<uint8_t>({0, 8, 128, 255}, chance);
    }
  }
  return rules;
}

RuleSubject NearSubject(const std::vector<Rule>& rules, Chance& chance) {
  const Rule& rule = rules[Below(rules.size(), chance)];
  // Each field near one rule's, now and then near another's.
  const auto near = [&]() -> const Rule& {
    return Percent(85, chance) ? rule : rules[Below(rules.size(), chance)];
  };
  RuleSubject subject;
  subject.from = OneOf({STEM_SIDE_OUTSIDE, STEM_SIDE_INSIDE}, chance);
  const int family = FamilyOf(rule) != 0 ? FamilyOf(rule) : OneOf({4, 6}, chance);
  subject.source = NearAddress(near().source, family, chance);
  subject.destination = NearAddress(near().destination, family, chance);
  // An IPv6 packet may carry v4-mapped addresses; it is still no IPv4 packet.
  const bool v4 = subject.source.is_v4() && subject.destination.is_v4() && Percent(95, chance);
  subject.version = v4 ? 4 : 6;
  subject.protocol = near().protocol.value_or(
      OneOf<uint8_t>({IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, 47}, chance));
  subject.transport = Percent(92, chance);
  if (!subject.transport) return subject;
  if (HasPorts(subject.protocol)) {
    subject.source_port = NearPort(near().source_ports, chance);
    subject.destination_port = NearPort(near().destination_ports, chance);
  }
  if (subject.protocol == IPPROTO_TCP) {
    subject.tcp_flags = Percent(50, chance) ? near().tcp_flags.value : Byte(chance);
  }
  // What the other address family calls ICMP is not read.
  if (subject.protocol == (subject.version == 4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6})) {
    subject.icmp_type = near().icmp_type.value_or(OneOf<uint8_t>({0, 1, 7, 8, 9, 255}, chance));
  } else if (!HasPorts(subject.protocol)) {
    subject.transport = false;
  }
  return subject;
}

RuleSubject SubjectOf(const Rule& rule, Chance& chance) {
  const auto port = [&](const PortRange& range) {
    return static_cast<uint16_t>(range.first + Below(range.last - range.first + 1u, chance));
  };
  RuleSubject subject;
  subject.from = rule.from == STEM_SIDE_NONE ? STEM_SIDE_OUTSIDE : rule.from;
  subject.version = FamilyOf(rule) == 6 ? 6 : 4;
  const Prefix all = subject.version == 4 ? Cut(V4(0, 0, 0, 0), 96) : Cut(IpAddress(), 0);
  subject.source = RandomIn(rule.source.value_or(all), chance);
  subject.destination = RandomIn(rule.destination.value_or(all), chance);
  subject.protocol = rule.protocol.value_or(IPPROTO_UDP);
  if (HasPorts(subject.protocol)) {
    subject.source_port = port(rule.source_ports);
    subject.destination_port = port(rule.destination_ports);
  }
  if (subject.protocol == IPPROTO_TCP) subject.tcp_flags = rule.tcp_flags.value;
  subject.icmp_type = rule.icmp_type.value_or(0);
  return subject;
}

const Rule* FirstMatch(const std::vector<Rule>& rules, const RuleSubject& subject) {
  for (const Rule& rule : rules) {
    if (rule.action != STEM_RULE_OBSERVE && Matches(rule, subject)) return &rule;
  }
  return nullptr;
}

std::string ToYaml(const Rule& rule) {
  std::string out = fmt::format("- {{name: {}, action: {}", rule.name, ActionText(rule.action));
  if (rule.from != STEM_SIDE_NONE) {
    out += fmt::format(", from: {}", rule.from == STEM_SIDE_OUTSIDE ? "outside" : "inside");
  }
  if (rule.protocol) out += fmt::format(", protocol: {}", *rule.protocol);
  if (rule.source) out += fmt::format(", source: \"{}\"", rule.source->ToString());
  if (rule.destination) out += fmt::format(", destination: \"{}\"", rule.destination->ToString());
  const auto ports = [&](const char* key, const PortRange& range) {
    if (!range.any()) out += fmt::format(", {}: \"{}-{}\"", key, range.first, range.last);
  };
  ports("source_ports", rule.source_ports);
  ports("destination_ports", rule.destination_ports);
  return out + "}\n";
}

}  // namespace stem
