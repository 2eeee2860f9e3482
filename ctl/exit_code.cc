// SPDX-License-Identifier: Apache-2.0
#include "ctl/exit_code.h"

#include <string>

namespace stem::ctl {

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kInvalidArgument:
      return ExitCode::kUsage;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kUnreachable;
    default:
      return ExitCode::kFailed;
  }
}

absl::Status FromPeer(const grpc::Status& status) {
  // Both libraries use the canonical codes.
  auto code = static_cast<absl::StatusCode>(status.error_code());
  if (code == absl::StatusCode::kInvalidArgument) code = absl::StatusCode::kFailedPrecondition;
  return {code, status.error_message()};
}

}  // namespace stem::ctl
