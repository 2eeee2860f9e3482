// SPDX-License-Identifier: Apache-2.0
#include "sm/entrance.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {

absl::StatusOr<Peer> Entrance::CheckRole(const grpc::ServerContextBase& context,
                                         std::initializer_list<Role> roles) {
  ASSIGN_OR_RETURN(Peer peer, PeerOf(context));
  if (std::find(roles.begin(), roles.end(), peer.role) != roles.end()) return peer;
  std::string needed;
  for (const Role role : roles) {
    needed += fmt::format("{}{}", needed.empty() ? "" : " or ", RoleName(role));
  }
  spdlog::warn("{} {} tried what needs the role {}", RoleName(peer.role), peer.identity, needed);
  return absl::PermissionDeniedError(
      fmt::format("this needs the role {}; the certificate of {} carries the role {}", needed,
                  peer.identity, RoleName(peer.role)));
}

absl::Status Entrance::CheckFresh(const Peer& peer, const v1::RequestHeader& header) {
  absl::Status fresh = replay_guard_.Admit(peer, header, std::chrono::system_clock::now());
  if (!fresh.ok()) {
    spdlog::warn("request of {} {} refused: {}", RoleName(peer.role), peer.identity,
                 fresh.ToString());
  }
  return fresh;
}

absl::StatusOr<Peer> Entrance::Check(const grpc::ServerContextBase& context,
                                     std::initializer_list<Role> roles,
                                     const v1::RequestHeader& header) {
  ASSIGN_OR_RETURN(Peer peer, CheckRole(context, roles));
  RETURN_IF_ERROR(CheckFresh(peer, header));
  return peer;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  if (absl::IsInternal(status) || absl::IsUnknown(status)) {
    spdlog::error("{}", status.ToString());
    return {static_cast<grpc::StatusCode>(status.code()),
            "the security manager failed; its log says why"};
  }
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

}  // namespace stem
