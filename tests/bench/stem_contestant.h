// SPDX-License-Identifier: Apache-2.0
// STEM's data plane among the contestants, loaded as the agent loads it.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/dataplane/data_plane.h"
#include "tests/bench/contestant.h"

namespace stem {

// Thresholds of the guards for one source, and of the peers that do the same work.
inline constexpr int kSynsPerSecond = 10;
inline constexpr int kInvitesPerSecond = 10;

// Removed from the kernel with the object.
class StemContestant : public Contestant {
 public:
  // What the bench starts from: every module enforces, no agent listens.
  static DataPlaneConfig DefaultConfig(const std::string& name, uint32_t max_pinholes);

  static absl::StatusOr<std::unique_ptr<StemContestant>> Open(const DataPlaneConfig& config);
  ~StemContestant() override;

  // Opens the pinholes of these flows, for their peers alone.
  absl::Status OpenPinholes(const FlowRange& range);

  // Opens the pinhole of one flow with a limit of IP bytes.
  struct ByteRate {
    uint64_t per_second = 0;
    uint64_t burst = 0;
  };
  absl::Status OpenPolicedPinhole(uint32_t flow, const ByteRate& limit);

  const DataPlane& plane() const { return *plane_; }
  // Where the map with the pipeline in slot 0 is pinned.
  std::string pipeline_pin() const { return DataPlane::PinDirectory(name_) + "/pipeline"; }

 private:
  StemContestant(Contestant nobody, std::string name)
      : Contestant(std::move(nobody)), name_(std::move(name)) {}
  std::string name_;
  std::optional<DataPlane> plane_;
};

}  // namespace stem
