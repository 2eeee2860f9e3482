// SPDX-License-Identifier: Apache-2.0
#include "agent/config.h"

#include <net/if.h>

#include <algorithm>
#include <bit>
#include <set>

#include "agent/config_milliseconds.h"
#include "agent/data_plane_settings.h"
#include "agent/media_config.h"
#include "agent/pattern_matcher/rule_reader.h"
#include "common/config/document.h"
#include "common/status_macros.h"

namespace stem {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

void ReadInterfaces(const ConfigSection& section, DataPlaneConfig& config) {
  const Text interface { 1, IFNAMSIZ - 1 };
  section.Required("outside", config.outside, interface);
  section.Required("inside", config.inside, interface);
  section.Optional("mode", config.mode,
                   Choice<XdpMode>{{{"native", XdpMode::kNative}, {"generic", XdpMode::kGeneric}}});
  if (!config.outside.empty() && config.outside == config.inside) {
    section.At("inside").Error("is the outside interface", "another interface");
  }
}

void ReadSignalling(const ConfigSection& section, AgentConfig& config) {
  std::vector<uint16_t>& ports = config.data_plane.sip_ports;
  ports = {5060};
  section.Optional("ports", ports, Each{Integer{1, 65535}, Count{1, STEM_MAX_SIP_PORTS}});
  if (std::set<uint16_t>(ports.begin(), ports.end()).size() != ports.size()) {
    section.At("ports").Error("names a port twice", "each port once");
  }
  config.calls.signalling_ports = ports;
  section.Optional("agent_down", config.data_plane.agent_down_pass,
                   Choice<bool>{{{"drop", false}, {"pass", true}}});
  section.Optional("frames_per_queue", config.frames_per_queue, Integer{64, 65536});
  if (!std::has_single_bit(config.frames_per_queue)) {
    section.At("frames_per_queue").Error("is not a power of two", "64, 128, ... 65536");
  }
  section.Optional("tun", config.tun, Text{1, IFNAMSIZ - 1});
}

void ReadSecurityManager(const ConfigSection& section, SecurityManagerConfig& config) {
  section.Required("address", config.address);
  ReadTlsFiles(section.Section("tls"), config.tls);
  section.Optional("deadline", config.deadline, Duration{milliseconds(10), seconds(10)});
  section.Optional("sm_down", config.down,
                   Choice<SmDown>{{{"refuse", SmDown::kRefuse},
                                   {"known_users", SmDown::kKnownUsers},
                                   {"accept", SmDown::kAccept}}});
}

void ReadCalls(const ConfigSection& section, CallMonitorConfig& config) {
  const Duration wait{milliseconds(100), hours(24)};
  ReadMilliseconds(section, "ring_timeout", config.timeouts.ring, wait);
  ReadMilliseconds(section, "bye_timeout", config.timeouts.bye, wait);
  ReadMilliseconds(section, "max_duration", config.timeouts.max_duration,
                   Duration{seconds(1), hours(24 * 30)});
  milliseconds retry_after = seconds(config.retry_after_seconds);
  ReadMilliseconds(section, "retry_after", retry_after, Duration{seconds(1), hours(1)});
  config.retry_after_seconds =
      static_cast<int>(std::chrono::duration_cast<seconds>(retry_after).count());
}

void ReadLimits(const ConfigSection& section, AgentConfig& config) {
  constexpr int64_t kMillion = 1'000'000;
  CallLimits& calls = config.calls.limits;
  DataPlaneConfig& plane = config.data_plane;
  section.Optional("calls", calls.calls, Integer{1, kMillion});
  plane.max_calls = static_cast<uint32_t>(calls.calls);
  plane.max_pinholes = 40000;
  section.Optional("pinholes", plane.max_pinholes, Integer{4, 4 * kMillion});
  section.Optional("rules", config.rules.limits.rules, Integer{1, STEM_MAX_RULES});
  section.Optional("rule_memory", config.rules.limits.kernel_bytes,
                   Bytes{uint64_t{4} << 20, uint64_t{1} << 30});
  section.Optional("held_messages", calls.held_messages, Integer{1, kMillion});
  section.Optional("held_bytes", calls.held_bytes, Bytes{64 << 10, 1 << 30});
  section.Optional("transactions", calls.transactions, Integer{1, 4 * kMillion});
  section.Optional("local_answers", calls.local_answers, Integer{1, kMillion});
  section.Optional("dialogs_per_call", calls.dialogs_per_call, Integer{1, 1000});
  section.Optional("ladder_steps", calls.ladder_steps, Integer{8, 10000});
  section.Optional("ended_calls", calls.ended_calls, Integer{0, 100000});
  section.Optional("events_per_second", plane.events_per_second, Integer{0, 100000});
  section.Optional("known_users", config.security_manager.known_users, Integer{0, kMillion});
  const ConfigSection reassembly = section.Section("reassembly");
  reassembly.Optional("datagrams", config.reassembly.datagrams, Integer{1, 65536});
  reassembly.Optional("bytes", config.reassembly.bytes, Bytes{128 << 10, 1 << 30});
  reassembly.Optional("per_source", config.reassembly.per_source, Integer{1, 65536});
  reassembly.Optional("timeout", config.reassembly.timeout, Duration{seconds(1), seconds(60)});
  section.Optional("posted_closures", config.posted_closures, Integer{64, kMillion});
}

void ReadLog(const ConfigSection& section, AgentConfig& config) {
  section.Optional("level", config.log_level,
                   Choice<spdlog::level::level_enum>{{{"trace", spdlog::level::trace},
                                                      {"debug", spdlog::level::debug},
                                                      {"info", spdlog::level::info},
                                                      {"warning", spdlog::level::warn},
                                                      {"error", spdlog::level::err}}});
}

// The last to be read, after the limits: finishes the document. The list `rules` comes before that
// of the file `rules_file`.
absl::Status ReadRules(ConfigDocument& document, AgentConfig& config) {
  constexpr size_t kMostBytes = size_t{32} << 20;  // of a file with rules only
  const ConfigSection root = document.root();
  RuleReader reader(config.rules.limits.rules);
  std::string path;
  root.Optional("rules_file", path, FilePath{});
  reader.Read(root);
  RETURN_IF_ERROR(document.Finish());
  if (!path.empty()) {
    ASSIGN_OR_RETURN(ConfigDocument file, ConfigDocument::Load(path, kMostBytes));
    reader.Read(file.root());
    RETURN_IF_ERROR(file.Finish());
  }
  reader.AllowSecurityManager(config.security_manager.address);
  config.rules.rules = reader.Take();
  return absl::OkStatus();
}

}  // namespace

std::string AgentConfig::RunDirectory() const {
  return fmt::format("/run/stem/{}", data_plane.name);
}

std::string AgentConfig::KeptInstructionsPath() const { return RunDirectory() + "/instructions"; }

absl::StatusOr<AgentConfig> LoadAgentConfig(const std::string& path) {
  ASSIGN_OR_RETURN(ConfigDocument document, ConfigDocument::Load(path));
  const ConfigSection root = document.root();
  AgentConfig config;
  config.tun = "stem0";

  root.Required("name", config.data_plane.name, Name{});
  ReadInterfaces(root.Section("interfaces"), config.data_plane);
  ReadSignalling(root.Section("signalling"), config);
  if (config.tun == config.data_plane.outside || config.tun == config.data_plane.inside) {
    root.Section("signalling").At("tun").Error("is one of the interfaces", "a name of its own");
  }
  ReadSecurityManager(root.Section("security_manager"), config.security_manager);
  root.Optional("default_policy", config.data_plane.default_pass,
                Choice<bool>{{{"drop", false}, {"pass", true}}});
  ReadMedia(root.Section("media"), config.calls);
  ReadCalls(root.Section("calls"), config.calls);
  ReadLimits(root.Section("limits"), config);
  ReadDataPlaneSettings(root, config.data_plane);
  config.control_socket = config.RunDirectory() + "/agent.sock";
  root.Section("control").Optional("socket", config.control_socket, FilePath{});
  root.Optional("on_exit", config.on_exit,
                Choice<OnExit>{{{"keep", OnExit::kKeep}, {"remove", OnExit::kRemove}}});
  ReadLog(root.Section("log"), config);
  RETURN_IF_ERROR(ReadRules(document, config));
  return config;
}

}  // namespace stem
