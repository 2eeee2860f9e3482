// SPDX-License-Identifier: Apache-2.0
// The agent put together: every box of the report's figure 5, and the thread that runs them.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/active_rules.h"
#include "agent/application_gateway/application_gateway.h"
#include "agent/config.h"
#include "agent/control_view.h"
#include "agent/data_plane_in_force.h"
#include "agent/data_plane_view.h"
#include "agent/dataplane/data_plane.h"
#include "agent/dataplane/drop_events.h"
#include "agent/dataplane/kernel_call_store.h"
#include "agent/dataplane/kernel_pinhole_table.h"
#include "agent/event_loop.h"
#include "agent/external_interface/guard_loader.h"
#include "agent/external_interface/instructions_in_force.h"
#include "agent/external_interface/kept_instructions.h"
#include "agent/external_interface/security_manager.h"
#include "agent/packet_path.h"
#include "agent/protocol_parser/call_monitor.h"

namespace stem {

class Agent {
 public:
  // Loads or adopts the data plane, binds sockets, takes over calls, begins to talk to the
  // security manager and to answer stemctl. On failure nothing new is left attached.
  // `path` is where the configuration came from, for reading the rules again.
  static absl::StatusOr<std::unique_ptr<Agent>> Start(AgentConfig config, std::string path);

  // Serves until SIGTERM or SIGINT (which the caller has blocked in every thread), then leaves the
  // kernel as `on_exit` says.
  absl::Status Run();

 private:
  Agent(AgentConfig config, std::string path)
      : config_(std::move(config)),
        config_path_(std::move(path)),
        kept_(config_.KeptInstructionsPath()) {}
  absl::Status Open();
  void TakeDownWhatIsNew();
  absl::Status OpenKernel();
  // Any thread; one at a time. Reads the rules again and puts them into the kernel; on any error
  // the old set stays. What depends on them follows on the signalling thread.
  absl::StatusOr<RuleReload> ReloadRules();
  void ReloadRulesAside();
  // What the security manager instructed before this agent was started.
  std::optional<InstructionSet> ReadKeptInstructions() const;
  void FollowInstructions(const GuardLimits& loaded);
  // Signalling thread, as PolicyWatch::Apply.
  void Instruct(const v1::WatchResponse& policy, PolicyWatch::Applied applied);
  std::vector<std::string> NotFollowed() const;
  void TellAgainWhatIsFollowed();
  absl::Status RemoveDataPlane();
  absl::Status ShowTables();
  absl::Status StartJudgement();
  absl::Status WatchSignals();

  // In the order in which they are made; taken down in reverse.
  const AgentConfig config_;
  const std::string config_path_;
  UniqueFd lock_;
  std::unique_ptr<EventLoop> loop_;
  std::optional<DataPlane> plane_;
  ActiveRules rules_;
  std::mutex reload_;
  std::optional<DataPlaneInForce> in_force_;
  KeptInstructions kept_;
  // What the security manager was told of the policy in force; nothing while one is under way.
  struct Told {
    bool in_force = false;
    uint64_t refusals_revision = 0;
  };
  std::optional<Told> told_;
  std::unique_ptr<GuardLoader> guard_loader_;
  std::optional<InstructionsInForce> instructions_;
  KernelPinholeTable* pinholes_ = nullptr;  // of plane_
  std::optional<KernelCallStore> calls_;
  std::unique_ptr<PacketPath> path_;
  std::unique_ptr<SecurityManager> security_manager_;
  std::optional<DataPlaneView> data_plane_view_;
  std::optional<ControlView> view_;
  std::unique_ptr<CallMonitor> monitor_;
  std::unique_ptr<DropEvents> drops_;
  std::unique_ptr<ApplicationGateway> gateway_;
  UniqueFd signals_;
  std::jthread reloader_;  // for SIGHUP
};

}  // namespace stem
