// SPDX-License-Identifier: Apache-2.0
// Who is at the other end: one role and one identity, carried in the certificate as the URI
// "urn:stem:ROLE:IDENTITY" among its subject alternative names (RFC 5280, 4.2.1.6).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "grpcpp/impl/codegen/server_context.h"

namespace stem {

enum class Role { kFirewall, kGateway, kTerminal, kAdministrator, kSecurityManager };

// "firewall", "gateway", "terminal", "administrator", "security-manager".
std::string_view RoleName(Role role);
absl::StatusOr<Role> ParseRole(std::string_view text);

struct Peer {
  Role role = Role::kTerminal;
  std::string identity;  // a name (common/name.h)

  std::string ToUri() const;
  bool operator==(const Peer&) const = default;
};

// INVALID_ARGUMENT when `uri` is not of the form above.
absl::StatusOr<Peer> ParsePeerUri(std::string_view uri);

// Is this URI one of ours, well-formed or not? Others may stand beside it in a certificate.
bool IsPeerUri(std::string_view uri);

// The client behind a call. UNAUTHENTICATED when the channel has no verified certificate or the
// certificate carries no, more than one, or a malformed identity.
absl::StatusOr<Peer> PeerOf(const grpc::ServerContextBase& context);

}  // namespace stem
