// SPDX-License-Identifier: Apache-2.0
// goodput_under_flood: what a flood on the same CPU does to the media of calls in progress.
#include <memory>

#include "common/status_macros.h"
#include "tests/bench/measure.h"
#include "tests/bench/stem_contestant.h"

namespace stem {
namespace {

constexpr uint32_t kCalls = 100;
constexpr uint64_t kPacketTimeNs = 20'000'000;  // of one G.711 stream

// The calls' packets each at its time; between them, in turn and without a pause, SYNs and INVITEs
// of spoofed sources and media nobody negotiated.
Traffic CallsAndFloods() {
  Traffic traffic;
  traffic.streams = {Stream(TRAFFIC_RTP, {kCalls}), Stream(TRAFFIC_SYN, {1'000'000}),
                     Stream(TRAFFIC_INVITE, {1'000'000}), Stream(TRAFFIC_RTP, {16384, 0x100000})};
  traffic.streams[0].interval_ns = kPacketTimeNs / kCalls;
  return traffic;
}

}  // namespace

absl::StatusOr<std::vector<Json>> MeasureGoodput(const BenchOptions& options) {
  ASSIGN_OR_RETURN(auto stem,
                   StemContestant::Open(StemContestant::DefaultConfig("goodput", 65536)));
  RETURN_IF_ERROR(stem->OpenPinholes({kCalls}));
  Traffic traffic = CallsAndFloods();
  uint64_t sent = 0, arrived = 0, frames = 0;
  double seconds = 0;
  for (int round = 0; round < options.rounds; ++round) {
    ASSIGN_OR_RETURN(const Passage passage, stem->Send(traffic, options.seconds));
    sent += passage.sent[0];
    arrived += passage.arrived[0];
    frames += passage.sent_total();
    seconds += passage.seconds;
    if (passage.arrived[1] + passage.arrived[2] + passage.arrived[3] > 0) {
      return absl::InternalError("goodput_under_flood: a part of the flood came through");
    }
  }
  Json json = {{"name", "goodput_under_flood"},
               {"calls", kCalls},
               {"mpps", frames / seconds / 1e6},
               {"ns", seconds * 1e9 / frames},
               {"media_sent", sent},
               {"media_arrived", arrived},
               {"media_lost", 1 - static_cast<double>(arrived) / sent}};
  return std::vector<Json>{json};
}

}  // namespace stem
