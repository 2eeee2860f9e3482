// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/errno_status.h"

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "fmt/format.h"

namespace stem {
namespace {

absl::StatusCode CodeFor(int error) {
  switch (error) {
    case ENOENT:
    case ENODEV:
      return absl::StatusCode::kNotFound;
    case E2BIG:
    case ENOSPC:
    case ENOMEM:
      return absl::StatusCode::kResourceExhausted;
    case EPERM:
    case EACCES:
      return absl::StatusCode::kPermissionDenied;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case EBUSY:
    case EAGAIN:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::Status ErrnoStatus(int error, std::string_view what) {
  error = std::abs(error);
  return absl::Status(CodeFor(error),
                      fmt::format("{}: {}", what, std::generic_category().message(error)));
}

}  // namespace stem
