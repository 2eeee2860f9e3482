// SPDX-License-Identifier: Apache-2.0
#include "sm/server.h"

#include <chrono>
#include <utility>

#include "common/status_macros.h"
#include "common/tls/credentials.h"
#include "fmt/format.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server_builder.h"
#include "sm/store/sqlite_store.h"

namespace stem {
namespace {

constexpr auto kShutdownPatience = std::chrono::seconds(2);

void SetTransport(grpc::ServerBuilder& builder, const ServerLimits& limits) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits.request_bytes));
  grpc::ResourceQuota quota("stem-sm");
  quota.Resize(limits.memory_bytes);
  builder.SetResourceQuota(quota);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             static_cast<int>(limits.requests_per_connection));
  // A second stem-sm on the same address must fail, not silently share its connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Notice a dead firewall within 15 s, and let clients ping as often as MakeSmChannel does.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 2'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
}

}  // namespace

SmServer::SmServer(const SmConfig& config, std::string version, std::unique_ptr<Store> store)
    : store_(std::move(store)),
      entrance_(config.replay),
      policy_(config.calls, store_.get()),
      feed_(store_.get(), config.server.firewalls),
      firewall_service_(&entrance_, &policy_, &feed_),
      admin_service_({.entrance = &entrance_,
                      .store = store_.get(),
                      .feed = &feed_,
                      .firewall = &firewall_service_,
                      .domains = config.domains,
                      .version = std::move(version)}) {}

absl::StatusOr<std::unique_ptr<SmServer>> SmServer::Start(const SmConfig& config,
                                                          std::string version) {
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteStore> store,
                   SqliteStore::Open(config.database, config.store));
  std::unique_ptr<SmServer> server(new SmServer(config, std::move(version), std::move(store)));
  RETURN_IF_ERROR(server->Listen(config));
  return server;
}

absl::Status SmServer::Listen(const SmConfig& config) {
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ServerCredentials> credentials,
                   MakeServerCredentials(config.tls));
  grpc::ServerBuilder builder;
  SetTransport(builder, config.server);
  int port = 0;
  builder.AddListeningPort(config.listen.ToString(), credentials, &port);
  builder.RegisterService(&firewall_service_);
  builder.RegisterService(&admin_service_);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0) {
    return absl::UnavailableError(
        fmt::format("cannot listen on {}; is the address this host's and the port free?",
                    config.listen.ToString()));
  }
  listening_on_ = {config.listen.address, static_cast<uint16_t>(port)};
  return absl::OkStatus();
}

SmServer::~SmServer() {
  feed_.Close();
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now() + kShutdownPatience);
  server_->Wait();
}

}  // namespace stem
