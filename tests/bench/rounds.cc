// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/rounds.h"

#include <algorithm>

#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

// Of the frames, before a run is no run.
constexpr double kMayBeLost = 0.02;

absl::Status Run(Entry& entry, double seconds) {
  ASSIGN_OR_RETURN(const Passage passage,
                   entry.contestant->Send(entry.traffic, seconds, entry.deliver));
  const uint64_t arrived = passage.arrived_total();
  const uint64_t handled = entry.duty == Duty::kRelay ? arrived
                           : entry.deliver            ? passage.received
                                                      : passage.sent_total();
  if (entry.duty == Duty::kDrop && arrived > 0) {
    return absl::InternalError(
        fmt::format("{}: {} of {} frames came through", entry.name, arrived, passage.sent_total()));
  }
  if (handled < (1 - kMayBeLost) * passage.sent_total()) {
    return absl::InternalError(fmt::format("{}: {} frames sent, {} received, {} handled",
                                           entry.name, passage.sent_total(), passage.received,
                                           handled));
  }
  if (passage.arrived_elsewhere > 0) {
    return absl::InternalError(
        fmt::format("{}: {} frames went by another CPU", entry.name, passage.arrived_elsewhere));
  }
  entry.lost = std::max(entry.lost, 1 - static_cast<double>(handled) / passage.sent_total());
  entry.ns.push_back(passage.seconds * 1e9 / handled);
  return absl::OkStatus();
}

}  // namespace

double Entry::median_ns() const {
  std::vector<double> ordered = ns;
  std::ranges::sort(ordered);
  return ordered[ordered.size() / 2];
}

absl::Status RunRounds(const BenchOptions& options, std::vector<Entry>& entries) {
  for (int round = 0; round < options.rounds; ++round) {
    for (Entry& entry : entries) RETURN_IF_ERROR(Run(entry, options.seconds));
  }
  return absl::OkStatus();
}

}  // namespace stem
