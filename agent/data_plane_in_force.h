// SPDX-License-Identifier: Apache-2.0
// The one place that knows which configuration the data plane runs with, and changes it.
#pragma once

#include <functional>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/dataplane/data_plane.h"

namespace stem {

// Any thread: loading a program takes too long for the signalling thread.
class DataPlaneInForce {
 public:
  // `plane` was opened with `config`, and outlives this. Nobody else reloads it.
  DataPlaneInForce(DataPlane* plane, DataPlaneConfig config)
      : plane_(plane), config_(std::move(config)) {}

  // Puts the configuration as `edit` leaves it into force. On failure the old one stays.
  absl::Status Change(const std::function<void(DataPlaneConfig&)>& edit);

  ModuleModes modules() const;

  // What the pipeline in force would do with a packet.
  absl::StatusOr<Simulation> Simulate(const SimulatedPacket& packet);

 private:
  std::mutex change_;  // held while a program is loaded; taken before the other
  DataPlane* const plane_;
  mutable std::mutex mutex_;  // never held for long: the signalling thread asks for the modules
  DataPlaneConfig config_;
};

}  // namespace stem
