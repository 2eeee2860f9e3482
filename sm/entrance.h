// SPDX-License-Identifier: Apache-2.0
// What every RPC passes first: who is it, may this role call it, is the request fresh.
#pragma once

#include <initializer_list>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tls/identity.h"
#include "grpcpp/support/status.h"
#include "sm/replay_guard.h"

namespace stem {

// Thread-safe.
class Entrance {
 public:
  explicit Entrance(ReplayLimits limits) : replay_guard_(limits) {}

  // The caller, when its certificate carries one of `roles`. UNAUTHENTICATED without an identity;
  // PERMISSION_DENIED names the roles needed and the one it has.
  static absl::StatusOr<Peer> CheckRole(const grpc::ServerContextBase& context,
                                        std::initializer_list<Role> roles);

  // Errors as in ReplayGuard::Admit.
  absl::Status CheckFresh(const Peer& peer, const v1::RequestHeader& header);

  // Both, in this order.
  absl::StatusOr<Peer> Check(const grpc::ServerContextBase& context,
                             std::initializer_list<Role> roles, const v1::RequestHeader& header);

 private:
  ReplayGuard replay_guard_;
};

// Same code, same message (gRPC's codes are Abseil's). Internal details stay in the log: the caller
// of an INTERNAL or UNKNOWN error is told where to look.
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace stem
