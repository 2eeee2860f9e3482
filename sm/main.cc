// SPDX-License-Identifier: Apache-2.0
// stem-sm: the security manager.
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "common/tls/grpc_log.h"
#include "common/version.h"
#include "fmt/format.h"
#include "sm/config.h"
#include "sm/server.h"

namespace stem {
namespace {

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

// A status' message as lines for the terminal.
void PrintError(const absl::Status& status) {
  const std::string message(status.message());
  std::fprintf(stderr, "%s\n", message.c_str());
}

// Blocks the signals that end the process, in this thread and those it starts.
sigset_t BlockEndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

int Check(const SmConfig& config) {
  const absl::StatusOr<TlsIdentity> identity = CheckTlsFiles(config.tls, Role::kSecurityManager);
  if (!identity.ok()) {
    PrintError(identity.status());
    return kUsage;
  }
  std::printf("configuration and certificates of %s are right\n", identity->peer.identity.c_str());
  return kOk;
}

int Serve(const SmConfig& config) {
  const sigset_t signals = BlockEndingSignals();
  spdlog::set_default_logger(spdlog::stderr_logger_mt("stem-sm"));
  spdlog::set_level(config.log_level);
  spdlog::flush_on(spdlog::level::info);
  SendGrpcLogToSpdlog();
  const absl::StatusOr<std::unique_ptr<SmServer>> server = SmServer::Start(config, kVersion);
  if (!server.ok()) {
    PrintError(server.status());
    return kFailed;
  }
  spdlog::info("stem-sm {} listening on {}", kVersion, (*server)->listening_on().ToString());
  int received = 0;
  sigwait(&signals, &received);
  spdlog::info("{} received, stopping", strsignal(received));
  return kOk;
}

int Run(int argc, char** argv) {
  CLI::App app("The security manager: decides which calls pass the firewalls.", "stem-sm");
  std::string path;
  bool check = false;
  app.set_version_flag("--version", fmt::format("stem-sm {}", kVersion));
  app.add_option("--config", path, "Configuration file, as etc/sm.example.yaml")->required();
  app.add_flag("--check", check,
               "Check the configuration and the certificates, then exit (0 or 2)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  const absl::StatusOr<SmConfig> config = LoadSmConfig(path);
  if (!config.ok()) {
    PrintError(config.status());
    return kUsage;
  }
  return check ? Check(*config) : Serve(*config);
}

}  // namespace
}  // namespace stem

int main(int argc, char** argv) {
  try {
    return stem::Run(argc, argv);
  } catch (const std::exception& error) {  // from a library: out of memory, at worst
    std::fprintf(stderr, "stem-sm: %s\n", error.what());
    return 1;
  }
}
