// SPDX-License-Identifier: Apache-2.0
#include "agent/pattern_matcher/rule_order.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace stem {
namespace {

constexpr size_t kWordBits = 64;

// Wildcards first, then nets before what lies in them.
auto PrefixKey(const std::optional<Prefix>& prefix) {
  return std::tuple(prefix.has_value(), prefix ? prefix->address : IpAddress(),
                    prefix ? prefix->bits : 0);
}

auto Destination(const Rule& rule) { return PrefixKey(rule.destination); }

auto Ports(const Rule& rule) {
  return std::tuple(rule.protocol.value_or(0), rule.destination_ports.first,
                    rule.destination_ports.last);
}

auto AllBySource(const Rule& rule) {
  return std::tuple(PrefixKey(rule.source), Destination(rule), Ports(rule), rule.from);
}

}  // namespace

RuleOrder OrderRules(std::span<const Rule> rules, OrderBy by) {
  std::vector<uint32_t> observers, others;
  for (uint32_t i = 0; i < rules.size(); ++i) {
    (rules[i].action == STEM_RULE_OBSERVE ? observers : others).push_back(i);
  }
  const auto sort_by = [&](auto key) {
    std::stable_sort(others.begin(), others.end(),
                     [&](uint32_t a, uint32_t b) { return key(rules[a]) < key(rules[b]); });
  };
  sort_by(AllBySource);
  if (by == OrderBy::kDestination) sort_by(Destination);
  if (by == OrderBy::kDestinationPorts) sort_by(Ports);
  for (size_t word = 0; word < others.size(); word += kWordBits) {
    const size_t end = std::min(word + kWordBits, others.size());
    std::sort(others.begin() + static_cast<ptrdiff_t>(word),
              others.begin() + static_cast<ptrdiff_t>(end));
  }
  RuleOrder out;
  out.bit_of.resize(rules.size());
  out.observers = static_cast<uint32_t>(observers.size());
  for (size_t i = 0; i < observers.size(); ++i) out.bit_of[observers[i]] = static_cast<uint32_t>(i);
  const size_t first = observers.empty() ? 0 : kWordBits;
  for (size_t i = 0; i < others.size(); ++i) {
    out.bit_of[others[i]] = static_cast<uint32_t>(first + i);
  }
  out.bits = first + others.size();
  return out;
}

}  // namespace stem
