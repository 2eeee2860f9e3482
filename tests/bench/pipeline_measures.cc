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

  std::vector<ProbeCase> cases = {
      // Parsed, met no pinhole because it is TCP, and passed to the stack: the common part.
      {"pipeline_parse_and_count", passing.get(), OneStream(TRAFFIC_SYN, kMany), XDP_PASS},
      // ... and dropped: what saying so costs beyond that.
      {"pipeline_parse_and_drop", stem.get(), OneStream(TRAFFIC_SYN, kMany), XDP_DROP},
      // ... and searched among the pinholes in vain.
      {"pipeline_no_pinhole_passed", passing.get(), OneStream(TRAFFIC_RTP, kUnknown), XDP_PASS},
      {"pipeline_no_pinhole_dropped", stem.get(), OneStream(TRAFFIC_RTP, kUnknown), XDP_DROP},
      // Found, charged, routed, rewritten.
      {"pipeline_relay_64", stem.get(), OneStream(TRAFFIC_RTP, kFew), XDP_REDIRECT},
      {"pipeline_relay", stem.get(), OneStream(TRAFFIC_RTP, kMany), XDP_REDIRECT},
  };
  RETURN_IF_ERROR(RunProbes(options, cases));
  std::vector<Json> results;
  for (const ProbeCase& one : cases) results.push_back({{"name", one.name}, {"ns", one.ns}});
  return results;
}

}  // namespace stem
