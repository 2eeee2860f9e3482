// SPDX-License-Identifier: Apache-2.0
// pipeline_*: where the nanoseconds go, by packets that leave the pipeline at different places.
#include <linux/bpf.h>

#include <memory>

#include "common/status_macros.h"
#include "tests/bench/measure.h"
#include "tests/bench/pipeline_probe.h"
#include "tests/bench/stem_contestant.h"

namespace stem {

absl::StatusOr<std::vector<Json>> MeasurePipeline(const BenchOptions& options) {
  constexpr FlowRange kFew{64};
  constexpr FlowRange kMany{16384};
  constexpr FlowRange kUnknown{16384, 0x100000};
  DataPlaneConfig config = StemContestant::DefaultConfig("pipeline", 65536);
  ASSIGN_OR_RETURN(auto stem, StemContestant::Open(config));
  RETURN_IF_ERROR(stem->OpenPinholes(kMany));
  config = StemContestant::DefaultConfig("pipeline-pass", 65536);
  config.default_pass = true;
  ASSIGN_OR_RETURN(auto passing, StemContestant::Open(config));
  RETURN_IF_ERROR(passing->OpenPinholes(kMany));

  const auto probe = [](std::string name, const StemContestant& at, traffic_kind kind,
                        const FlowRange& range, uint32_t verdict) {
    return ProbeCase{std::move(name), &at.lab(), at.pipeline_pin(), OneStream(kind, range),
                     verdict};
  };
  std::vector<ProbeCase> cases = {
      // Parsed, met no pinhole because it is TCP, and passed to the stack: the common part.
      probe("pipeline_parse_and_count", *passing, TRAFFIC_RULED, kMany, XDP_PASS),
      // ... and dropped: what saying so costs beyond that.
      probe("pipeline_parse_and_drop", *stem, TRAFFIC_RULED, kMany, XDP_DROP),
      // ... and searched among the pinholes in vain.
      probe("pipeline_no_pinhole_passed", *passing, TRAFFIC_RTP, kUnknown, XDP_PASS),
      probe("pipeline_no_pinhole_dropped", *stem, TRAFFIC_RTP, kUnknown, XDP_DROP),
      // Found, charged, routed, rewritten.
      probe("pipeline_relay_64", *stem, TRAFFIC_RTP, kFew, XDP_REDIRECT),
      probe("pipeline_relay", *stem, TRAFFIC_RTP, kMany, XDP_REDIRECT),
  };
  // Only routed and rewritten.
  ASSIGN_OR_RETURN(auto bare, Contestant::BareRelay());
  cases.push_back({"pipeline_bare_relay", &bare->lab(), "", OneStream(TRAFFIC_RTP, kMany),
                   XDP_REDIRECT, bare->bare_program()});
  RETURN_IF_ERROR(RunProbes(options, cases));
  std::vector<Json> results;
  for (const ProbeCase& one : cases) results.push_back({{"name", one.name}, {"ns", one.ns}});
  return results;
}

}  // namespace stem
