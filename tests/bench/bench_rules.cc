// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/bench_rules.h"

#include <netinet/in.h>

#include <vector>

#include "agent/pattern_matcher/rule_compiler.h"
#include "common/address.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "tests/bench/traffic_abi.h"

namespace stem {
namespace {

// Rule n denies TCP from one /24 to another, to eight ports: flows 256 * n to 256 * n + 255.
struct BenchRule {
  traffic_flow first;  // of the flows it covers: the lowest of every field
  uint16_t last_port;
};
BenchRule RuleOf(uint32_t number) {
  const traffic_flow first = flow_of(TRAFFIC_RULED, kFlowsOfRule * number);
  return {first, static_cast<uint16_t>(first.destination_port + 7)};
}

std::string Dotted(uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 0xff, address >> 8 & 0xff,
                     address & 0xff);
}

}  // namespace

absl::Status PutBenchRules(uint32_t count, DataPlaneConfig& config) {
  std::vector<Rule> rules(count);
  for (uint32_t i = 0; i < count; ++i) {
    const BenchRule from = RuleOf(i);
    Rule& rule = rules[i];
    rule.name = fmt::format("bench-{}", i);
    rule.action = STEM_RULE_DENY;
    rule.protocol = IPPROTO_TCP;
    ASSIGN_OR_RETURN(rule.source, Prefix::Parse(Dotted(from.first.source & ~0xffu) + "/24"));
    ASSIGN_OR_RETURN(rule.destination,
                     Prefix::Parse(Dotted(from.first.destination & ~0xffu) + "/24"));
    rule.destination_ports = {from.first.destination_port, from.last_port};
  }
  ASSIGN_OR_RETURN(config.rules, CompileRules(rules, RuleLimits()));
  return absl::OkStatus();
}

std::string BenchRulesForNft(uint32_t count) {
  std::string text =
      "table netdev bench {\nchain ingress {\n"
      "type filter hook ingress device \"outside0\" priority filter; policy accept\n";
  for (uint32_t i = 0; i < count; ++i) {
    const BenchRule rule = RuleOf(i);
    text += fmt::format("ip saddr {}/24 ip daddr {}/24 tcp dport {}-{} drop\n",
                        Dotted(rule.first.source), Dotted(rule.first.destination),
                        rule.first.destination_port, rule.last_port);
  }
  return text + "}\n}\n";
}

std::string BenchRulesAsNftSet(uint32_t count) {
  std::string elements;
  for (uint32_t i = 0; i < count; ++i) {
    const BenchRule rule = RuleOf(i);
    elements +=
        fmt::format("{}{}/24 . {}/24 . {}-{}", i > 0 ? ", " : "", Dotted(rule.first.source),
                    Dotted(rule.first.destination), rule.first.destination_port, rule.last_port);
  }
  return fmt::format(R"(
table netdev bench {{
  set denied {{
    type ipv4_addr . ipv4_addr . inet_service
    flags interval
    elements = {{ {} }}
  }}
  chain ingress {{
    type filter hook ingress device "outside0" priority filter; policy accept
    ip saddr . ip daddr . tcp dport @denied drop
  }}
}}
)",
                     elements);
}

}  // namespace stem
