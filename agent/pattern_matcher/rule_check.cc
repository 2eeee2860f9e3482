// SPDX-License-Identifier: Apache-2.0
#include "agent/pattern_matcher/rule_check.h"

#include <cstring>

#include "fmt/format.h"

namespace stem {
namespace {

// What rules out that one rule covers another in most cases, small enough for the cache: n * n / 2
// of these are compared.
struct Outline {
  uint64_t source[2], source_mask[2];
  uint64_t destination[2], destination_mask[2];
  uint16_t first, last;  // destination ports
  bool observes;

  static void Set(const std::optional<Prefix>& prefix, uint64_t (&address)[2],
                  uint64_t (&mask)[2]) {
    if (!prefix) return;
    std::memcpy(address, prefix->address.bytes.data(), sizeof(address));
    std::memcpy(mask, prefix->Mask().data(), sizeof(mask));
  }

  explicit Outline(const Rule& rule)
      : source{},
        source_mask{},
        destination{},
        destination_mask{},
        first(rule.destination_ports.first),
        last(rule.destination_ports.last),
        observes(rule.action == STEM_RULE_OBSERVE) {
    Set(rule.source, source, source_mask);
    Set(rule.destination, destination, destination_mask);
  }

  bool MayCover(const Outline& inner) const {
    return first <= inner.first && inner.last <= last && !observes &&
           (inner.destination[0] & destination_mask[0]) == destination[0] &&
           (inner.destination[1] & destination_mask[1]) == destination[1] &&
           (inner.source[0] & source_mask[0]) == source[0] &&
           (inner.source[1] & source_mask[1]) == source[1];
  }
};

}  // namespace

std::vector<RuleFinding> CheckRules(std::span<const Rule> rules) {
  std::vector<Outline> outlines;
  outlines.reserve(rules.size());
  std::vector<RuleFinding> findings;
  for (size_t i = 0; i < rules.size(); ++i) {
    outlines.emplace_back(rules[i]);
    for (size_t earlier = 0; earlier < i; ++earlier) {
      if (!outlines[earlier].MayCover(outlines[i]) || !Covers(rules[earlier], rules[i])) continue;
      const auto kind = rules[earlier].action == rules[i].action ? RuleFinding::Kind::kRedundant
                                                                 : RuleFinding::Kind::kShadowed;
      findings.push_back({kind, i, earlier});
      break;
    }
  }
  return findings;
}

std::string Describe(const RuleFinding& finding, std::span<const Rule> rules) {
  const Rule& rule = rules[finding.rule];
  const Rule& earlier = rules[finding.earlier];
  const char* what = finding.kind == RuleFinding::Kind::kShadowed ? "is shadowed" : "is redundant";
  return fmt::format("{}{}rule {} ({}) {}: rule {} ({}{}{}) takes all its packets", rule.place,
                     rule.place.empty() ? "" : ": ", rule.name, ActionText(rule.action), what,
                     earlier.name, ActionText(earlier.action), earlier.place.empty() ? "" : ", ",
                     earlier.place);
}

}  // namespace stem
