// SPDX-License-Identifier: Apache-2.0
// Rule sets and packets made by chance from a seed, for tests and measurements.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "agent/pattern_matcher/rule.h"

namespace stem {

using Chance = std::mt19937_64;

// Prefixes, port ranges and protocols in the mix of firewall rule sets in the literature
// (ClassBench, Taylor and Turner 2007): sites of /16 with nets and hosts in them, one address in
// ten a wildcard, exact ports, the well-known and the ephemeral range, a tenth IPv6. Names are
// "rule-1" and so on; actions are allow and deny.
std::vector<Rule> ClassBenchLikeRules(size_t count, uint64_t seed);

// Few addresses and ports, so that nearly every rule overlaps others and every field matters; all
// actions, TCP flags, ICMP types, both families.
std::vector<Rule> CrowdedRules(size_t count, Chance& chance);

// A packet at or next to an edge of one of the rules in every field, or inside it.
RuleSubject NearSubject(const std::vector<Rule>& rules, Chance& chance);

// A packet the given rule matches (an earlier one may, too).
RuleSubject SubjectOf(const Rule& rule, Chance& chance);

// The plain meaning of the list: one rule after the other. Observers are skipped.
const Rule* FirstMatch(const std::vector<Rule>& rules, const RuleSubject& subject);

// The rule as YAML, one line of the list `rules`.
std::string ToYaml(const Rule& rule);

}  // namespace stem
