// SPDX-License-Identifier: Apache-2.0
// How stemctl ends, for scripts, and what the errors of a peer mean for that.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace stem::ctl {

enum class ExitCode {
  kOk = 0,
  kFailed = 1,       // asked and refused: no such call, not allowed, taken already
  kUsage = 2,        // the command line is wrong
  kUnreachable = 3,  // nobody answered: no socket, connection refused, TLS failed, deadline passed
};

// INVALID_ARGUMENT is kUsage (only stemctl itself makes it, see FromPeer); UNAVAILABLE and
// DEADLINE_EXCEEDED are kUnreachable; every other error is kFailed.
ExitCode ExitCodeOf(const absl::Status& status);

// A peer's answer as a status of ours. A peer's INVALID_ARGUMENT becomes FAILED_PRECONDITION: the
// command line was well-formed, what it asked for was not acceptable.
absl::Status FromPeer(const grpc::Status& status);

}  // namespace stem::ctl
