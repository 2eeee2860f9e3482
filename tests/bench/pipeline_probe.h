// SPDX-License-Identifier: Apache-2.0
// What the pipeline alone costs a packet: BPF_PROG_TEST_RUN with many repeats and varying keys, no
// interface, no softirq.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/bench/rounds.h"
#include "tests/bench/traffic.h"

#include "pipeline_probe.skel.h"  // its global variables are of types named above

namespace stem {

struct ProbeDestroyer {
  void operator()(pipeline_probe* skeleton) const;
};

// Packets come in on outside0 of the calling thread's lab.
class PipelineProbe {
 public:
  // Probes what is in slot 0 of the pinned PROG_ARRAY at `pin`.
  static absl::StatusOr<PipelineProbe> OfPipeline(const std::string& pin);
  // Probes one program; 0: one that only drops, to know what the probe itself costs.
  static absl::StatusOr<PipelineProbe> OfProgram(int program_fd);

  // Nanoseconds of one packet, the probe's own included. `verdict`: XDP action of the last packet.
  absl::StatusOr<uint32_t> Run(Traffic& traffic, uint32_t repeats, uint32_t* verdict);

 private:
  using Pointer = std::unique_ptr<pipeline_probe, ProbeDestroyer>;
  explicit PipelineProbe(Pointer skeleton) : skeleton_(std::move(skeleton)) {}
  Pointer skeleton_;
};

// One kind of packet through one pipeline.
struct ProbeCase {
  std::string name;
  const BenchLab* lab = nullptr;
  std::string pin;  // of the map with the pipeline in slot 0; empty: `program` is probed
  Traffic traffic;
  uint32_t verdict = 0;  // XDP action it must end with
  int program = 0;

  double ns = 0;  // beyond the probe's own cost, median of the rounds
};

// Runs every case once a round, the probe alone beside it. INTERNAL when a verdict is not as it
// must be.
absl::Status RunProbes(const BenchOptions& options, std::vector<ProbeCase>& cases);

}  // namespace stem
