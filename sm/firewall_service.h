// SPDX-License-Identifier: Apache-2.0
// The Firewall service of proto/stem/v1: what a firewall asks.
#pragma once

#include <atomic>
#include <cstdint>

#include "sm/call_policy.h"
#include "sm/entrance.h"
#include "sm/policy_feed.h"
#include "sm/watch_stream.h"
#include "stem/v1/firewall.grpc.pb.h"

namespace stem {

class FirewallService : public v1::Firewall::CallbackService {
 public:
  FirewallService(Entrance* entrance, CallPolicy* policy, PolicyFeed* feed)
      : entrance_(entrance), policy_(policy), feed_(feed) {}

  grpc::ServerUnaryReactor* Decide(grpc::CallbackServerContext* context,
                                   const v1::DecideRequest* request,
                                   v1::DecideResponse* response) override;
  WatchReactor* Watch(grpc::CallbackServerContext* context) override;

  uint64_t decisions() const { return decisions_; }  // given, since start

 private:
  absl::StatusOr<v1::DecideResponse> Decided(const grpc::CallbackServerContext& context,
                                             const v1::DecideRequest& request);

  Entrance* entrance_;
  CallPolicy* policy_;
  PolicyFeed* feed_;
  std::atomic<uint64_t> decisions_ = 0;
};

}  // namespace stem
