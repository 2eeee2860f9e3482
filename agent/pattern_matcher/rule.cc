// SPDX-License-Identifier: Apache-2.0
#include "agent/pattern_matcher/rule.h"

#include <netinet/in.h>

#include <algorithm>

namespace stem {
namespace {

int FamilyOf(const Prefix& prefix) { return prefix.address.is_v4() ? 4 : 6; }

bool InPrefix(const std::optional<Prefix>& prefix, const IpAddress& address, int version) {
  return !prefix || (FamilyOf(*prefix) == version && prefix->Contains(address));
}

// `family`: of the inner rule as a whole, 0 for both.
bool CoversAddresses(const std::optional<Prefix>& outer, const std::optional<Prefix>& inner,
                     int family) {
  if (!outer) return true;
  if (FamilyOf(*outer) != family) return false;
  if (!inner) return outer->bits == (family == 4 ? 96 : 0);
  return outer->bits <= inner->bits && outer->Contains(inner->address);
}

bool CoversRange(const PortRange& outer, const PortRange& inner) {
  return outer.first <= inner.first && inner.last <= outer.last;
}

bool OverlappingPrefixes(const std::optional<Prefix>& a, const std::optional<Prefix>& b) {
  if (!a || !b) return true;
  if (FamilyOf(*a) != FamilyOf(*b)) return false;
  return a->bits <= b->bits ? a->Contains(b->address) : b->Contains(a->address);
}

bool OverlappingRanges(const PortRange& a, const PortRange& b) {
  return a.first <= b.last && b.first <= a.last;
}

template <typename T>
bool Differ(const std::optional<T>& a, const std::optional<T>& b) {
  return a && b && *a != *b;
}

}  // namespace

int FamilyOf(const Rule& rule) {
  if (rule.source) return FamilyOf(*rule.source);
  return rule.destination ? FamilyOf(*rule.destination) : 0;
}

bool Matches(const Rule& rule, const RuleSubject& subject) {
  if (rule.from != STEM_SIDE_NONE && rule.from != subject.from) return false;
  if (rule.protocol && *rule.protocol != subject.protocol) return false;
  const bool needs_transport = rule.icmp_type || rule.tcp_flags.mask != 0 ||
                               !rule.source_ports.any() || !rule.destination_ports.any();
  if (needs_transport && !subject.transport) return false;
  return (!rule.icmp_type || *rule.icmp_type == subject.icmp_type) &&
         (subject.tcp_flags & rule.tcp_flags.mask) == rule.tcp_flags.value &&
         rule.source_ports.Contains(subject.source_port) &&
         rule.destination_ports.Contains(subject.destination_port) &&
         InPrefix(rule.source, subject.source, subject.version) &&
         InPrefix(rule.destination, subject.destination, subject.version);
}

bool Covers(const Rule& outer, const Rule& inner) {
  if (outer.from != STEM_SIDE_NONE && outer.from != inner.from) return false;
  if (outer.protocol && outer.protocol != inner.protocol) return false;
  if (outer.icmp_type && outer.icmp_type != inner.icmp_type) return false;
  if ((outer.tcp_flags.mask & ~inner.tcp_flags.mask) != 0 ||
      (inner.tcp_flags.value & outer.tcp_flags.mask) != outer.tcp_flags.value) {
    return false;
  }
  const int family = FamilyOf(inner);
  return CoversRange(outer.source_ports, inner.source_ports) &&
         CoversRange(outer.destination_ports, inner.destination_ports) &&
         CoversAddresses(outer.source, inner.source, family) &&
         CoversAddresses(outer.destination, inner.destination, family);
}

bool Overlaps(const Rule& a, const Rule& b) {
  if (a.from != STEM_SIDE_NONE && b.from != STEM_SIDE_NONE && a.from != b.from) return false;
  if (Differ(a.protocol, b.protocol) || Differ(a.icmp_type, b.icmp_type)) return false;
  const uint8_t common = a.tcp_flags.mask & b.tcp_flags.mask;
  if ((a.tcp_flags.value & common) != (b.tcp_flags.value & common)) return false;
  const int a_family = FamilyOf(a), b_family = FamilyOf(b);
  if (a_family != 0 && b_family != 0 && a_family != b_family) return false;
  return OverlappingRanges(a.source_ports, b.source_ports) &&
         OverlappingRanges(a.destination_ports, b.destination_ports) &&
         OverlappingPrefixes(a.source, b.source) &&
         OverlappingPrefixes(a.destination, b.destination);
}

const Rule* DeniesAll(std::span<const Rule> rules, const Rule& flow) {
  for (const Rule& rule : rules) {
    if (rule.action == STEM_RULE_OBSERVE || !Overlaps(rule, flow)) continue;
    if (rule.action != STEM_RULE_DENY) return nullptr;
    if (Covers(rule, flow)) return &rule;
  }
  return nullptr;
}

const char* ActionText(stem_rule_action action) {
  switch (action) {
    case STEM_RULE_ALLOW:
      return "allow";
    case STEM_RULE_DENY:
      return "deny";
    case STEM_RULE_INSPECT:
      return "inspect";
    case STEM_RULE_OBSERVE:
      return "observe";
    case STEM_RULE_END:
      break;
  }
  return "none";
}

}  // namespace stem
