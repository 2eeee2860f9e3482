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

// What one size leaves for the probes of all.
struct MeasuredSize {
  std::unique_ptr<StemContestant> stem;
  ProbeCase probe;
  std::vector<Json> results;  // ours first
};

absl::StatusOr<MeasuredSize> MeasureSize(const BenchOptions& options, uint32_t count) {
  const Traffic traffic = OneStream(TRAFFIC_RULED, {count * kFlowsOfRule});
  ASSIGN_OR_RETURN(auto bare, Contestant::BareDrop());
  ASSIGN_OR_RETURN(auto nft_rules, Contestant::Nftables(BenchRulesForNft(count)));
  ASSIGN_OR_RETURN(auto nft_set, Contestant::Nftables(BenchRulesAsNftSet(count)));
  std::vector<Entry> entries = {{"bare drop", bare.get(), traffic},
                                {fmt::format("{} nft rules", count), nft_rules.get(), traffic},
                                {fmt::format("nft set of {}", count), nft_set.get(), traffic}};
  const std::string name = fmt::format("rules_{}", count);
  DataPlaneConfig config = StemContestant::DefaultConfig(fmt::format("rules-{}", count), 1024);
  RETURN_IF_ERROR(PutBenchRules(count, config));
  ASSIGN_OR_RETURN(auto stem, StemContestant::Open(config));
  entries.push_back({fmt::format("STEM, {} rules", count), stem.get(), traffic});
  RETURN_IF_ERROR(RunRounds(options, entries));

  Json json = Describe(name, {&entries[3], &entries[1], &entries[0], &entries[0]});
  json["vs_nftables_set"] = Ratio(entries[2].median_ns(), entries[3].median_ns());
  ProbeCase probe{name, &stem->lab(), stem->pipeline_pin(), traffic, XDP_DROP};
  return MeasuredSize{std::move(stem),
                      std::move(probe),
                      {json, Reference(fmt::format("nftables_rules_{}", count), entries[1]),
                       Reference(fmt::format("nftables_set_{}", count), entries[2])}};
}

}  // namespace

absl::StatusOr<std::vector<Json>> MeasureRules(const BenchOptions& options) {
  std::vector<MeasuredSize> sizes;
  std::vector<ProbeCase> probes;
  for (const uint32_t count : {10u, 1000u, 10000u}) {
    ASSIGN_OR_RETURN(MeasuredSize size, MeasureSize(options, count));
    probes.push_back(size.probe);
    sizes.push_back(std::move(size));
  }
  // All sizes in turns, because the ratio of the largest to the smallest is what is asked for.
  RETURN_IF_ERROR(RunProbes(options, probes));
  std::vector<Json> results;
  for (size_t i = 0; i < sizes.size(); ++i) {
    Json& ours = sizes[i].results.front();
    ours["ns"] = probes[i].ns;  // of the pipeline alone, as the measure is defined
    if (i + 1 == sizes.size()) ours["vs_rules_10"] = Ratio(probes[i].ns, probes.front().ns);
    results.insert(results.end(), sizes[i].results.begin(), sizes[i].results.end());
  }
  return results;
}

}  // namespace stem
