// SPDX-License-Identifier: Apache-2.0
// rules_10, rules_1000 and rules_10000: nanoseconds of the pipeline for packets that match any of
// the rules, and the rate of dropping them beside nftables, with the same as rules and as a set.
#include <linux/bpf.h>

#include <memory>
#include <string>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "tests/bench/bench_rules.h"
#include "tests/bench/measure.h"
#include "tests/bench/pipeline_probe.h"
#include "tests/bench/stem_contestant.h"

namespace stem {
namespace {

absl::StatusOr<std::vector<Json>> MeasureSize(const BenchOptions& options, uint32_t count) {
  const Traffic traffic = OneStream(TRAFFIC_RULED, {count * kFlowsOfRule});
  ASSIGN_OR_RETURN(auto bare, Contestant::BareDrop());
  ASSIGN_OR_RETURN(auto nft_rules, Contestant::Nftables(BenchRulesForNft(count)));
  ASSIGN_OR_RETURN(auto nft_set, Contestant::Nftables(BenchRulesAsNftSet(count)));
  std::vector<Entry> entries = {{"bare drop", bare.get(), traffic},
                                {fmt::format("{} nft rules", count), nft_rules.get(), traffic},
                                {fmt::format("nft set of {}", count), nft_set.get(), traffic}};
  DataPlaneConfig config = StemContestant::DefaultConfig(fmt::format("rules-{}", count), 1024);
  RETURN_IF_ERROR(PutBenchRules(count, config));
  ASSIGN_OR_RETURN(const auto stem, StemContestant::Open(config));
  entries.push_back({fmt::format("STEM, {} rules", count), stem.get(), traffic});
  std::vector<ProbeCase> cases = {
      {fmt::format("rules_{}", count), &stem->lab(), stem->pipeline_pin(), traffic, XDP_DROP}};
  RETURN_IF_ERROR(RunRounds(options, entries));
  RETURN_IF_ERROR(RunProbes(options, cases));

  Json json = Describe(fmt::format("rules_{}", count),
                       {&entries[3], &entries[1], &entries[0], &entries[0]});
  json["ns"] = cases.front().ns;  // of the pipeline alone, as the measure is defined
  json["vs_nftables_set"] = Ratio(entries[2].median_ns(), entries[3].median_ns());
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
