// SPDX-License-Identifier: Apache-2.0
// The XDP programs and their maps, loaded, pinned and attached: what the kernel runs for one
// firewall instance, with or without an agent.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/dataplane/data_plane_config.h"
#include "agent/dataplane/kernel_pinhole_table.h"
#include "agent/dataplane/pipeline.h"
#include "agent/dataplane/root_program.h"
#include "agent/dataplane/simulator.h"
#include "agent/dataplane/unique_fd.h"

namespace stem {

// The kernel side of one instance. Destroying the object leaves the kernel as it is; only Remove()
// takes it down. Maps already pinned by an earlier agent are adopted with what they hold.
class DataPlane {
 public:
  // Loads a pipeline for `config`, puts it into slot 0 and sees that both interfaces call it.
  // FAILED_PRECONDITION with the command that mends it when bpffs is missing, a foreign XDP program
  // is in the way, or pinned maps have another size or layout. On failure an older pipeline
  // stays, and nothing where there was none.
  static absl::StatusOr<DataPlane> Open(const DataPlaneConfig& config);

  // Puts a pipeline for another configuration of the same instance into slot 0: same name,
  // interfaces and table sizes. Every packet meets the old pipeline or the new one; on failure the
  // old one stays.
  absl::Status Reload(const DataPlaneConfig& config);

  // What the pipeline in slot 0 would do with a packet. Its twin is loaded by the first question
  // after a reload. Errors are those of Simulator.
  absl::StatusOr<Simulation> Simulate(const SimulatedPacket& packet);

  // Detaches from both interfaces and unpins everything of `name`. OK when there is nothing.
  static absl::Status Remove(const std::string& name, const std::vector<std::string>& interfaces);

  static std::string PinDirectory(const std::string& name);

  // One thread may use it, and what it gave before.
  KernelPinholeTable& pinholes() { return *pinholes_; }
  int calls_fd() const { return calls_.get(); }
  int counters_fd() const { return counters_.get(); }
  int blocks_fd() const { return blocks_.get(); }
  int block_count_fd() const { return block_count_.get(); }
  int permits_fd() const { return permits_.get(); }
  int observed_fd() const { return observed_.get(); }
  int xsks_fd() const { return xsks_.get(); }
  int events_fd() const { return events_.get(); }
  int rule_counters_fd() const { return rule_counters_.get(); }
  int rule_slots_fd() const { return rule_slots_.get(); }
  const std::vector<InterfaceState>& interfaces() const { return interfaces_; }
  // Whether the instance was in the kernel before Open.
  bool adopted() const { return adopted_; }

 private:
  DataPlane() = default;

  UniqueFd calls_, counters_, observed_, xsks_, events_, rule_counters_, rule_slots_;
  UniqueFd blocks_, block_count_, permits_;
  std::unique_ptr<KernelPinholeTable> pinholes_;
  PipelinePtr live_;                      // in slot 0
  std::unique_ptr<Simulator> simulator_;  // its twin, or null
  std::vector<InterfaceState> interfaces_;
  bool adopted_ = false;
};

}  // namespace stem
