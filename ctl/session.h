// SPDX-License-Identifier: Apache-2.0
// One run of stemctl: its global options, its output, and its peers, which are connected on demand.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ctl/agent_client.h"
#include "ctl/exit_code.h"
#include "ctl/screen.h"
#include "ctl/sm_client.h"
#include "ctl/viewpoint.h"
#include "google/protobuf/message.h"

namespace stem::ctl {

enum class Output { kTable, kJson };

struct GlobalOptions {
  Output output = Output::kTable;
  std::string agent;  // path of the control socket
  std::string name;   // of the instance, instead of the path
  std::string sm;     // endpoint of the security manager
  std::string tls;    // directory with tls.crt, tls.key, ca.crt
  double timeout_seconds = 5;
  Colour colour = Colour::kAuto;
  bool ascii = false;
};

class Session {
 public:
  explicit Session(GlobalOptions options);

  // INVALID_ARGUMENT or UNAVAILABLE, as AgentSocket and AgentClient::Connect.
  absl::StatusOr<AgentClient> Agent() const;
  // As SmClient::Make.
  absl::StatusOr<SmClient> Sm() const;

  bool json() const { return options_.output == Output::kJson; }
  // Of now.
  Viewpoint View() const;
  const Screen& screen() const { return screen_; }

  // Prints the answer, as JSON or as what `table` makes of it.
  ExitCode Show(const google::protobuf::Message& answer,
                const std::function<std::string(const Viewpoint&)>& table);

  // To standard output, at once. kFailed when it cannot be written (a full disk).
  ExitCode Print(std::string_view text);

  // Tells what went wrong on standard error; the exit code that belongs to it.
  ExitCode Fail(const absl::Status& status);

 private:
  const GlobalOptions options_;
  const Screen screen_;
};

}  // namespace stem::ctl
