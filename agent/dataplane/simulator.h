// SPDX-License-Identifier: Apache-2.0
// Asks the pipeline what it would do with a packet, without anybody noticing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/dataplane/pipeline.h"
#include "bpf/stem_abi.h"

namespace stem {

struct SimulatedPacket {
  std::span<const uint8_t> frame;  // from the Ethernet header on
  unsigned ifindex = 0;            // where it arrives
  uint32_t queue = 0;              // RX queue
};

struct Simulation {
  uint32_t action = 0;  // enum xdp_action
  stem_reason reason = STEM_REASON_MAX;
  uint32_t rule = 0;                  // 1 + index of the rule that decided, 0 for none
  std::vector<stem_reason> observed;  // for which modules in observe would have ended its way
  std::vector<uint8_t> frame;         // as it would leave
};

// A twin of a live pipeline: the same program and constants on the same maps, but for `dry_run`,
// with which it decides and changes nothing. What the kernel itself notes of a lookup (which entry
// of a table of sources was used last) is the only trace it leaves.
class Simulator {
 public:
  // `live` is loaded; it may be gone before the twin, whose maps then live on.
  static absl::StatusOr<std::unique_ptr<Simulator>> TwinOf(const stem_pipeline& live);

  // INVALID_ARGUMENT for a frame that the kernel does not take: shorter than an Ethernet header, or
  // larger than a page holds.
  absl::StatusOr<Simulation> Run(const SimulatedPacket& packet);

 private:
  explicit Simulator(PipelinePtr twin) : twin_(std::move(twin)) {}

  PipelinePtr twin_;
};

}  // namespace stem
