// SPDX-License-Identifier: Apache-2.0
// The agent's control socket: a gRPC server on a Unix socket for `stemctl` on the same host.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "agent/application_gateway/control_service.h"
#include "agent/application_gateway/control_source.h"
#include "agent/application_gateway/data_plane_service.h"
#include "agent/application_gateway/data_plane_source.h"
#include "agent/application_gateway/event_hub.h"
#include "agent/application_gateway/socket_path.h"
#include "grpcpp/server.h"

namespace stem {

struct ApplicationGatewayOptions {
  std::string socket_path;                        // "/run/stem/NAME/agent.sock"
  std::chrono::milliseconds answer_within{2000};  // for the signalling thread
  int questions_at_once = 8;  // unary calls served at the same time, besides the monitors
  EventHubLimits monitors;
};

// Whom the services ask.
struct GatewaySources {
  ControlSource* control;
  DataPlaneSource* data_plane;
};

class ApplicationGateway {
 public:
  // Serves at once, with mode 0600 on the socket. Closures handed to `executor` that have not begun
  // when Stop returns do nothing when they are run; one that has begun still uses `sources`. Errors
  // are those of SocketPath, and UNAVAILABLE when gRPC cannot listen.
  static absl::StatusOr<std::unique_ptr<ApplicationGateway>> Start(
      const ApplicationGatewayOptions& options, GatewaySources sources, Executor executor);

  ~ApplicationGateway();  // stops
  ApplicationGateway(const ApplicationGateway&) = delete;
  ApplicationGateway& operator=(const ApplicationGateway&) = delete;

  // Where the signalling thread publishes its verdicts.
  EventHub& events() { return hub_; }

  // Ends the monitors and the questions under way, which are told that the agent is stopping, then
  // closes the server and removes the socket. Also callable from the signalling thread: it waits
  // for nothing that only that thread could do. Idempotent.
  void Stop();

 private:
  ApplicationGateway(const ApplicationGatewayOptions& options, GatewaySources sources,
                     const Executor& executor, SocketPath path);

  EventHub hub_;
  ControlService control_;
  DataPlaneService data_plane_;
  std::optional<SocketPath> path_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace stem
