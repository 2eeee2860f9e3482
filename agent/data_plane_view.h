// SPDX-License-Identifier: Apache-2.0
// The data plane in the terms of proto/stem/v1/dataplane.proto: modules, blocks, simulation.
#pragma once

#include <cstdint>
#include <string>

#include "agent/active_rules.h"
#include "agent/application_gateway/data_plane_source.h"
#include "agent/data_plane_in_force.h"
#include "agent/dataplane/block_table.h"
#include "agent/dataplane/data_plane.h"
#include "agent/dataplane/kernel_tables.h"
#include "agent/dataplane/permit_table.h"
#include "agent/dataplane/pinhole_table.h"
#include "agent/external_interface/instructions_in_force.h"
#include "stem/v1/control.pb.h"

namespace stem {

// All must outlive the view.
struct DataPlaneViewParts {
  DataPlaneInForce& in_force;
  const DataPlane& plane;
  const PinholeTable& pinholes;
  const ActiveRules& rules;
  const InstructionsInForce& instructions;
  bool permits_required;   // syn_guard.permits
  ModuleModes configured;  // what the next start begins with
};

class DataPlaneView : public DataPlaneSource {
 public:
  DataPlaneView(DataPlaneViewParts parts, KernelTables tables);

  absl::StatusOr<v1::ListModulesResponse> Modules() override;
  absl::StatusOr<v1::ListModulesResponse> SetModule(const v1::SetModuleRequest& request) override;
  absl::StatusOr<v1::SimulateResponse> Simulate(const v1::SimulateRequest& request) override;
  absl::StatusOr<v1::SimulateResponse> Complete(const v1::SimulateRequest& request,
                                                v1::SimulateResponse answer) override;
  absl::StatusOr<v1::ListBlocksResponse> Blocks() override;
  absl::StatusOr<v1::Block> AddBlock(const v1::AddBlockRequest& request) override;
  absl::StatusOr<v1::Block> RemoveBlock(const v1::RemoveBlockRequest& request) override;
  absl::StatusOr<v1::ListThresholdsResponse> Thresholds() override;
  absl::StatusOr<v1::ListPermitsResponse> Permits() override;

  // Signalling thread: modules, instructions and the kernel's tables, measured now.
  void Describe(v1::AgentStatus& status);
  // Signalling thread, often: takes off expired blocks and measures the tables when it is time.
  void Tick(uint64_t now_ns);

 private:
  v1::Simulation SimulateOne(const v1::SimulatedPacket& packet);
  absl::StatusOr<v1::Block> FindBlock(const BlockKey& key) const;
  v1::Block DescribeBlock(const BlockEntry& entry, uint64_t now_ns) const;
  void DescribeInstructions(v1::AgentStatus& status) const;
  void Measure();

  const DataPlaneViewParts parts_;
  BlockTable blocks_;
  PermitTable permits_;
  KernelTables tables_;
  uint64_t blocks_refused_ = 0;  // the operator's
  uint64_t next_sweep_ns_ = 0;
  uint64_t next_measurement_ns_ = 0;
};

// "on", "observe" or "off".
std::string ModeText(stem_module_mode mode);

}  // namespace stem
