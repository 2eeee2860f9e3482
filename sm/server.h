// SPDX-License-Identifier: Apache-2.0
// The security manager as one object: store, policy and services behind a mutual-TLS listener.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grpcpp/server.h"
#include "sm/admin_service.h"
#include "sm/call_policy.h"
#include "sm/config.h"
#include "sm/entrance.h"
#include "sm/firewall_service.h"
#include "sm/policy_feed.h"
#include "sm/store/store.h"

namespace stem {

class SmServer {
 public:
  // Opens the store, loads the certificates and listens. When this returns OK, requests are
  // answered. UNAVAILABLE when the address cannot be listened on; errors of the store and of the
  // certificates.
  static absl::StatusOr<std::unique_ptr<SmServer>> Start(const SmConfig& config,
                                                         std::string version);

  // Ends the streams, lets the requests under way finish (at most two seconds), stops listening.
  ~SmServer();
  SmServer(const SmServer&) = delete;
  SmServer& operator=(const SmServer&) = delete;

  const Endpoint& listening_on() const { return listening_on_; }

 private:
  SmServer(const SmConfig& config, std::string version, std::unique_ptr<Store> store);
  absl::Status Listen(const SmConfig& config);

  // In the order in which they use each other; the server goes first at the end.
  std::unique_ptr<Store> store_;
  Entrance entrance_;
  CallPolicy policy_;
  PolicyFeed feed_;
  FirewallService firewall_service_;
  AdminService admin_service_;
  Endpoint listening_on_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace stem
