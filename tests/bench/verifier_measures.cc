// SPDX-License-Identifier: Apache-2.0
// verifier_*: instructions the kernel's verifier went through, for each program.
#include "common/status_macros.h"
#include "tests/bench/measure.h"
#include "tests/bench/stem_contestant.h"
#include "tests/bpf/verifier_cost.h"

namespace stem {

absl::StatusOr<std::vector<Json>> MeasureVerifier(const BenchOptions&) {
  const DataPlaneConfig config = StemContestant::DefaultConfig("verifier", 1024);
  ASSIGN_OR_RETURN(const auto stem, StemContestant::Open(config));
  ASSIGN_OR_RETURN(const std::vector<ProgramCost> costs, ReadProgramCosts(config.name));
  std::vector<Json> results;
  for (const ProgramCost& cost : costs) {
    results.push_back({{"name", "verifier_" + cost.name},
                       {"instructions", cost.verified},
                       {"ceiling", kMostVerifiedInstructions},
                       {"machine_code_bytes", cost.bytes}});
  }
  return results;
}

}  // namespace stem
