// SPDX-License-Identifier: Apache-2.0
#include "common/tls/identity.h"

#include <grpc/grpc_security_constants.h>

#include <array>
#include <memory>
#include <optional>

#include "common/name.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "grpcpp/security/auth_context.h"

namespace stem {
namespace {

constexpr std::string_view kUriStart = "urn:stem:";

struct RoleWord {
  Role role;
  std::string_view word;
};
constexpr std::array<RoleWord, 5> kRoles = {{{Role::kFirewall, "firewall"},
                                             {Role::kGateway, "gateway"},
                                             {Role::kTerminal, "terminal"},
                                             {Role::kAdministrator, "administrator"},
                                             {Role::kSecurityManager, "security-manager"}}};

}  // namespace

std::string_view RoleName(Role role) {
  for (const RoleWord& entry : kRoles) {
    if (entry.role == role) return entry.word;
  }
  return "unknown";
}

absl::StatusOr<Role> ParseRole(std::string_view text) {
  for (const RoleWord& entry : kRoles) {
    if (entry.word == text) return entry.role;
  }
  return absl::InvalidArgumentError(
      fmt::format("'{}' is not a role; the roles are firewall, gateway, terminal, administrator, "
                  "security-manager",
                  text));
}

std::string Peer::ToUri() const {
  return fmt::format("{}{}:{}", kUriStart, RoleName(role), identity);
}

bool IsPeerUri(std::string_view uri) { return uri.starts_with(kUriStart); }

absl::StatusOr<Peer> ParsePeerUri(std::string_view uri) {
  const std::string_view rest = IsPeerUri(uri) ? uri.substr(kUriStart.size()) : "";
  const size_t colon = rest.find(':');
  if (colon == std::string_view::npos || !IsName(rest.substr(colon + 1))) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not of the form urn:stem:ROLE:IDENTITY", uri));
  }
  ASSIGN_OR_RETURN(const Role role, ParseRole(rest.substr(0, colon)));
  return Peer{role, std::string(rest.substr(colon + 1))};
}

absl::StatusOr<Peer> PeerOf(const grpc::ServerContextBase& context) {
  const std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) {
    return absl::UnauthenticatedError("the channel carries no verified client certificate");
  }
  std::optional<Peer> found;
  for (const grpc::string_ref& value : auth->FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME)) {
    const std::string_view uri(value.data(), value.size());
    if (!IsPeerUri(uri)) continue;
    absl::StatusOr<Peer> peer = ParsePeerUri(uri);
    if (!peer.ok()) return absl::UnauthenticatedError(peer.status().message());
    if (found.has_value()) {
      return absl::UnauthenticatedError("the client certificate carries two urn:stem identities");
    }
    found = *std::move(peer);
  }
  if (!found.has_value()) {
    return absl::UnauthenticatedError("the client certificate carries no urn:stem identity");
  }
  return *found;
}

}  // namespace stem
