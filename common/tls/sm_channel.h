// SPDX-License-Identifier: Apache-2.0
// The one way a firewall, a gateway, a terminal or an administrator reaches the security manager.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/tls/tls_files.h"
#include "grpcpp/channel.h"

namespace stem {

// A channel that connects when first used and again for as long as it lives: within about a second
// of the SM coming back, and a dead connection is noticed after at most 8 s without an answer.
// `endpoint` is "192.0.2.1:7443", "[2001:db8::1]:7443" or "sm.example.org:7443". Errors as in
// CheckTlsFiles; an SM that cannot be reached is no error here, each call then says UNAVAILABLE.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeSmChannel(const TlsFiles& files, Role own,
                                                             const std::string& endpoint);

}  // namespace stem
