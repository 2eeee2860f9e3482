// SPDX-License-Identifier: Apache-2.0
// The agent's configuration file; every key is explained in etc/agent.example.yaml.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/dataplane/data_plane.h"
#include "agent/dataplane/fragment_reassembly.h"
#include "agent/external_interface/sm_down.h"
#include "agent/pattern_matcher/rule_compiler.h"
#include "agent/protocol_parser/call_limits.h"
#include "common/address.h"
#include "common/tls/tls_files.h"
#include "spdlog/common.h"

namespace stem {

enum class OnExit { kKeep, kRemove };

struct SecurityManagerConfig {
  Endpoint address;
  TlsFiles tls;
  std::chrono::nanoseconds deadline = std::chrono::milliseconds(400);
  SmDown down = SmDown::kRefuse;
  uint32_t known_users = 100000;  // at most, kept for sm_down: known_users
};

struct StaticRulesConfig {
  std::vector<Rule> rules;  // the one the SM's answers need included
  RuleLimits limits;
};

struct AgentConfig {
  DataPlaneConfig data_plane;  // without the compiled rules
  StaticRulesConfig rules;
  CallMonitorConfig calls;
  SecurityManagerConfig security_manager;
  std::string control_socket;  // "/run/stem/NAME/agent.sock" unless said otherwise
  std::string tun;             // name of the TUN device
  uint32_t frames_per_queue = 2048;
  uint32_t posted_closures = 4096;
  ReassemblyLimits reassembly;
  OnExit on_exit = OnExit::kKeep;
  spdlog::level::level_enum log_level = spdlog::level::info;

  std::string RunDirectory() const;  // "/run/stem/NAME"
  // The security manager's last instructions.
  std::string KeptInstructionsPath() const;
};

// INVALID_ARGUMENT with one line per error, "file:line:column: key.path: what is wrong; what is
// right"; NOT_FOUND and the like when the file cannot be read.
absl::StatusOr<AgentConfig> LoadAgentConfig(const std::string& path);

}  // namespace stem
