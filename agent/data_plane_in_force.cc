// SPDX-License-Identifier: Apache-2.0
#include "agent/data_plane_in_force.h"

#include "common/status_macros.h"

namespace stem {

absl::Status DataPlaneInForce::Change(const std::function<void(DataPlaneConfig&)>& edit) {
  const std::lock_guard one_at_a_time(change_);
  DataPlaneConfig changed = config_;  // nobody else writes it
  edit(changed);
  RETURN_IF_ERROR(plane_->Reload(changed));
  const std::lock_guard lock(mutex_);
  config_ = std::move(changed);
  return absl::OkStatus();
}

ModuleModes DataPlaneInForce::modules() const {
  const std::lock_guard lock(mutex_);
  return config_.modules;
}

absl::StatusOr<Simulation> DataPlaneInForce::Simulate(const SimulatedPacket& packet) {
  const std::lock_guard lock(change_);
  return plane_->Simulate(packet);
}

}  // namespace stem
