// SPDX-License-Identifier: Apache-2.0
#include "agent/application_gateway/application_gateway.h"

#include <utility>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"

namespace stem {
namespace {

// gRPC's own pollers besides the threads that serve calls.
constexpr int kPollingThreads = 2;

// After the waits have been ended, what remains is writing out the last statuses.
constexpr std::chrono::milliseconds kGrace{500};

}  // namespace

ApplicationGateway::ApplicationGateway(const ApplicationGatewayOptions& options,
                                       GatewaySources sources, const Executor& executor,
                                       SocketPath path)
    : hub_(options.monitors),
      control_(sources.control, executor, &hub_, options.answer_within),
      data_plane_(sources.data_plane, executor, options.answer_within),
      path_(std::move(path)) {}

absl::StatusOr<std::unique_ptr<ApplicationGateway>> ApplicationGateway::Start(
    const ApplicationGatewayOptions& options, GatewaySources sources, Executor executor) {
  ASSIGN_OR_RETURN(SocketPath path, SocketPath::Prepare(options.socket_path));
  // Not make_unique: the constructor is private.
  std::unique_ptr<ApplicationGateway> gateway(
      new ApplicationGateway(options, sources, executor, std::move(path)));

  grpc::ResourceQuota quota("application gateway");
  quota.SetMaxThreads(kPollingThreads + options.questions_at_once +
                      static_cast<int>(options.monitors.subscribers));
  grpc::ServerBuilder builder;
  builder.SetResourceQuota(quota);
  builder.RegisterService(&gateway->control_);
  builder.RegisterService(&gateway->data_plane_);
  // No credentials on the channel: the socket's mode decides who may open it, and its bytes never
  // leave the kernel. grpc::experimental::LocalServerCredentials(UDS) would add a handshake that
  // checks only what the address says already, that this is a Unix socket.
  builder.AddListeningPort("unix:" + gateway->path_->staging_path(),
                           grpc::InsecureServerCredentials());
  gateway->server_ = builder.BuildAndStart();
  if (gateway->server_ == nullptr) {
    return absl::UnavailableError(
        fmt::format("cannot listen on the control socket {}", options.socket_path));
  }
  RETURN_IF_ERROR(gateway->path_->Publish());
  return gateway;
}

ApplicationGateway::~ApplicationGateway() { Stop(); }

void ApplicationGateway::Stop() {
  if (server_ == nullptr) return;
  control_.Stop();
  data_plane_.Stop();
  hub_.Close();
  server_->Shutdown(std::chrono::system_clock::now() + kGrace);
  server_->Wait();
  server_.reset();
  path_.reset();
}

}  // namespace stem
