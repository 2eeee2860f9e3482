// SPDX-License-Identifier: Apache-2.0
// What the data plane service may ask of the agent.
#pragma once

#include "absl/status/statusor.h"
#include "stem/v1/dataplane.pb.h"

namespace stem {

// In the terms of proto/stem/v1/dataplane.proto. An error's code and message reach the operator
// unchanged.
class DataPlaneSource {
 public:
  virtual ~DataPlaneSource() = default;

  // Any thread. These may take as long as loading a program does, so the signalling thread is not
  // asked.
  virtual absl::StatusOr<v1::ListModulesResponse> Modules() = 0;
  virtual absl::StatusOr<v1::ListModulesResponse> SetModule(
      const v1::SetModuleRequest& request) = 0;
  virtual absl::StatusOr<v1::SimulateResponse> Simulate(const v1::SimulateRequest& request) = 0;

  // Signalling thread only, which owns rules and pinholes: puts the names of rules in the place of
  // the numbers that Simulate() gave them, and adds the pinholes the packets were for.
  virtual absl::StatusOr<v1::SimulateResponse> Complete(const v1::SimulateRequest& request,
                                                        v1::SimulateResponse answer) = 0;

  // Signalling thread only, which follows the security manager's instructions.
  virtual absl::StatusOr<v1::ListThresholdsResponse> Thresholds() = 0;
  virtual absl::StatusOr<v1::ListPermitsResponse> Permits() = 0;

  // Signalling thread only, which also takes off what has expired.
  virtual absl::StatusOr<v1::ListBlocksResponse> Blocks() = 0;
  virtual absl::StatusOr<v1::Block> AddBlock(const v1::AddBlockRequest& request) = 0;
  virtual absl::StatusOr<v1::Block> RemoveBlock(const v1::RemoveBlockRequest& request) = 0;
};

}  // namespace stem
