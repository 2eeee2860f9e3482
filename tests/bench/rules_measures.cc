// SPDX-License-Identifier: Apache-2.0
// rules_10, rules_1000 and rules_10000: nanoseconds of the pipeline for packets that match any of
// the rules, and the rate of dropping them beside nftables, with the same as rules and as a set.
#include <linux/bpf.h>
#include <netinet/in.h>

#include <algorithm>
#include <memory>
#include <string>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "tests/bench/measure.h"
#include "tests/bench/modules.h"
#include "tests/bench/pipeline_probe.h"
#include "tests/bench/stem_contestant.h"

namespace stem {
namespace {

constexpr uint32_t kPacketsOfRule = 256;
constexpr uint32_t kMostRules = STEM_MAX_RULES;

// Rule n denies TCP from one /24 to another, to eight ports: flows 256 * n to 256 * n + 255.
struct BenchRule {
  traffic_flow first;  // of the flows it covers: the lowest of every field
  uint16_t last_port;
};
BenchRule RuleOf(uint32_t number) {
  const traffic_flow first = flow_of(TRAFFIC_RULED, kPacketsOfRule * number);
  return {first, static_cast<uint16_t>(first.destination_port + 7)};
}

std::string Dotted(uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 0xff, address >> 8 & 0xff,
                     address & 0xff);
}

void PutPrefix24(uint32_t address, uint8_t* prefix, uint8_t* mask) {
  const uint8_t bytes[4] = {static_cast<uint8_t>(address >> 24),
                            static_cast<uint8_t>(address >> 16), static_cast<uint8_t>(address >> 8),
                            0};
  std::ranges::copy(IpAddress::FromV4(bytes).bytes, prefix);
  std::fill_n(mask, 15, 0xff);
}

std::vector<stem_rule> BenchRules(uint32_t count) {
  std::vector<stem_rule> rules(count);
  for (uint32_t i = 0; i < count; ++i) {
    const BenchRule from = RuleOf(i);
    stem_rule& rule = rules[i];
    rule.action = STEM_RULE_DENY;
    rule.protocol = IPPROTO_TCP;
    PutPrefix24(from.first.source, rule.source, rule.source_mask);
    PutPrefix24(from.first.destination, rule.destination, rule.destination_mask);
    rule.source_port_last = 0xffff;
    rule.destination_port_first = from.first.destination_port;
    rule.destination_port_last = from.last_port;
  }
  return rules;
}

std::string AsNftRules(uint32_t count) {
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

std::string AsNftSet(uint32_t count) {
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

absl::StatusOr<std::vector<Json>> MeasureSize(const BenchOptions& options, uint32_t count) {
  const Traffic traffic = OneStream(TRAFFIC_RULED, {count * kPacketsOfRule});
  ASSIGN_OR_RETURN(auto bare, Contestant::BareDrop());
  ASSIGN_OR_RETURN(auto nft_rules, Contestant::Nftables(AsNftRules(count)));
  ASSIGN_OR_RETURN(auto nft_set, Contestant::Nftables(AsNftSet(count)));
  std::vector<Entry> entries = {{"bare drop", bare.get(), traffic},
                                {fmt::format("{} nft rules", count), nft_rules.get(), traffic},
                                {fmt::format("nft set of {}", count), nft_set.get(), traffic}};
  std::unique_ptr<StemContestant> stem;
  std::vector<ProbeCase> cases;
  if (count <= kMostRules) {
    DataPlaneConfig config = StemContestant::DefaultConfig(fmt::format("rules-{}", count), 1024);
    config.rules = BenchRules(count);
    ASSIGN_OR_RETURN(stem, StemContestant::Open(config));
    entries.push_back({fmt::format("STEM, {} rules", count), stem.get(), traffic});
    cases.push_back(
        {fmt::format("rules_{}", count), &stem->lab(), stem->pipeline_pin(), traffic, XDP_DROP});
  }
  RETURN_IF_ERROR(RunRounds(options, entries));
  RETURN_IF_ERROR(RunProbes(options, cases));

  Json json = {{"name", fmt::format("rules_{}", count)}};
  if (stem != nullptr) {
    json = Describe(fmt::format("rules_{}", count),
                    {&entries[3], &entries[1], &entries[0], &entries[0]});
    json["ns"] = cases.front().ns;  // of the pipeline alone, as the measure is defined
    json["vs_nftables_set"] = Ratio(entries[2].median_ns(), entries[3].median_ns());
  } else {
    json["waits_for"] = kClassifierPending;
  }
  return std::vector<Json>{json, Reference(fmt::format("nftables_rules_{}", count), entries[1]),
                           Reference(fmt::format("nftables_set_{}", count), entries[2])};
}

}  // namespace

absl::StatusOr<std::vector<Json>> MeasureRules(const BenchOptions& options) {
  std::vector<Json> results;
  for (const uint32_t count : {10u, 1000u, 10000u}) {
    ASSIGN_OR_RETURN(const std::vector<Json> measured, MeasureSize(options, count));
    results.insert(results.end(), measured.begin(), measured.end());
  }
  Json& most = results[6];
  if (most.contains("ns")) most["vs_rules_10"] = Ratio(most["ns"], results[0]["ns"]);
  return results;
}

}  // namespace stem
