// SPDX-License-Identifier: Apache-2.0
#include "agent/data_plane_in_force.h"

#include "common/status_macros.h"

namespace stem {

absl::Status DataPlaneInForce::Change(const std::function<void(DataPlaneConfig&)>& edit) {
  const std::lock_guard lock(mutex_);
  DataPlaneConfig changed = config_;
  edit(changed);
  RETURN_IF_ERROR(plane_->Reload(changed));
  config_ = std::move(changed);
  return absl::OkStatus();
}

ModuleModes DataPlaneInForce::modules() const {
  const std::lock_guard lock(mutex_);
  return config_.modules;
}

absl::StatusOr<Simulation> DataPlaneInForce::Simulate(const SimulatedPacket& packet) {
  const std::lock_guard lock(mutex_);
  return plane_->Simulate(packet);
}

}  // namespace stem
