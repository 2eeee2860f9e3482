// SPDX-License-Identifier: Apache-2.0
// stem-agent: the command line.
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "agent/agent.h"
#include "agent/config.h"
#include "agent/instance_lock.h"
#include "common/tls/grpc_log.h"
#include "common/version.h"

namespace stem {
namespace {

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct CommandLine {
  std::string config;
  bool check = false;
  bool remove = false;
};

int Complain(const absl::Status& status, int exit_code) {
  fmt::print(stderr, "stem-agent: {}\n", std::string(status.message()));
  return exit_code;
}

// What --check does beyond reading the file: everything that can be known without the network.
int Check(const AgentConfig& config) {
  const absl::StatusOr<TlsIdentity> identity =
      CheckTlsFiles(config.security_manager.tls, Role::kFirewall);
  if (!identity.ok()) return Complain(identity.status(), kUsage);
  const absl::StatusOr<PreparedRules> rules = PrepareRules(config.rules);
  if (!rules.ok()) return Complain(rules.status(), kUsage);
  for (const std::string& warning : rules->warnings) fmt::print("warning: {}\n", warning);
  fmt::print("{} rules, {:.1f} MiB of kernel memory\n", rules->rules.size(),
             static_cast<double>(rules->compiled->KernelBytes()) / (1 << 20));
  fmt::print("configuration is good: instance {}, {} outside, {} inside, certificate {}\n",
             config.data_plane.name, config.data_plane.outside, config.data_plane.inside,
             identity->peer.ToUri());
  return kOk;
}

int Remove(const AgentConfig& config) {
  const absl::StatusOr<UniqueFd> lock = LockInstance(config.RunDirectory());
  if (!lock.ok()) return Complain(lock.status(), kFailed);
  const absl::Status removed = DataPlane::Remove(
      config.data_plane.name, {config.data_plane.outside, config.data_plane.inside});
  if (!removed.ok()) return Complain(removed, kFailed);
  const absl::Status forgotten = KeptInstructions(config.KeptInstructionsPath()).Forget();
  if (!forgotten.ok()) return Complain(forgotten, kFailed);
  fmt::print("instance {} is no longer in the kernel\n", config.data_plane.name);
  return kOk;
}

int Serve(AgentConfig config, const std::string& path) {
  // In every thread, before the first is made; the loop reads the signals from a descriptor.
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGINT);
  sigaddset(&blocked, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  signal(SIGPIPE, SIG_IGN);
  SendGrpcLogToSpdlog();
  // Before anything changes in the kernel: an agent that may not ask the security manager would
  // only be in the way there.
  const absl::StatusOr<TlsIdentity> identity =
      CheckTlsFiles(config.security_manager.tls, Role::kFirewall);
  if (!identity.ok()) return Complain(identity.status(), kFailed);
  const absl::StatusOr<std::unique_ptr<Agent>> agent = Agent::Start(std::move(config), path);
  if (!agent.ok()) return Complain(agent.status(), kFailed);
  const absl::Status ended = (*agent)->Run();
  return ended.ok() ? kOk : Complain(ended, kFailed);
}

int Main(int argc, char** argv) {
  CLI::App app(
      "stem-agent: the firewall's agent. Takes SIP out of the packet stream, follows "
      "every call and opens the pinholes it needs.");
  CommandLine line;
  app.add_option("--config", line.config, "configuration file (see etc/agent.example.yaml)")
      ->required();
  CLI::Option* check =
      app.add_flag("--check", line.check, "check configuration and certificates, then exit");
  app.add_flag("--remove", line.remove, "detach XDP and unpin everything of a dead instance")
      ->excludes(check);
  app.set_version_flag("--version", std::string("stem-agent ") + kVersion);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  absl::StatusOr<AgentConfig> config = LoadAgentConfig(line.config);
  if (!config.ok()) return Complain(config.status(), kUsage);
  spdlog::set_default_logger(spdlog::stderr_color_mt("stem-agent"));
  spdlog::set_level(config->log_level);
  spdlog::flush_on(spdlog::level::info);
  if (line.check) return Check(*config);
  if (line.remove) return Remove(*config);
  return Serve(*std::move(config), line.config);
}

}  // namespace
}  // namespace stem

int main(int argc, char** argv) { return stem::Main(argc, argv); }
