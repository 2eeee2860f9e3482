// SPDX-License-Identifier: Apache-2.0
#include "agent/external_interface/kept_instructions.h"

#include <unistd.h>

#include <cerrno>

#include "agent/dataplane/errno_status.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr size_t kMostBytes = size_t{64} << 20;

}  // namespace

absl::StatusOr<std::optional<v1::WatchResponse>> KeptInstructions::Read() const {
  const absl::StatusOr<std::string> bytes = ReadFile(path_, kMostBytes);
  if (absl::IsNotFound(bytes.status())) return std::nullopt;
  RETURN_IF_ERROR(bytes.status());
  v1::WatchResponse policy;
  if (!policy.ParseFromString(*bytes)) {
    return absl::InvalidArgumentError(fmt::format(
        "{} holds no instructions: remove it; the security manager sends them again", path_));
  }
  return policy;
}

absl::Status KeptInstructions::Keep(const v1::WatchResponse& policy) {
  v1::WatchResponse kept;
  *kept.mutable_instructions() = policy.instructions();
  const std::string bytes = kept.SerializeAsString();
  const std::lock_guard lock(mutex_);
  if (bytes == last_) return absl::OkStatus();
  RETURN_IF_ERROR(WriteFileAtomically(path_, bytes, 0600));
  last_ = bytes;
  return absl::OkStatus();
}

absl::Status KeptInstructions::Forget() {
  const std::lock_guard lock(mutex_);
  last_.reset();
  if (unlink(path_.c_str()) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, fmt::format("removing {}", path_));
  }
  return absl::OkStatus();
}

}  // namespace stem
