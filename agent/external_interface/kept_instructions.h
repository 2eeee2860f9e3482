// SPDX-License-Identifier: Apache-2.0
// The security manager's last instructions in a file, for an agent that starts while it is away.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stem/v1/firewall.pb.h"

namespace stem {

// One file, which belongs in a directory that a restart of the machine empties, as it does the
// kernel's tables. Thread-safe.
class KeptInstructions {
 public:
  explicit KeptInstructions(std::string path) : path_(std::move(path)) {}

  // A policy with its instructions alone; nullopt when there is no file. INVALID_ARGUMENT when it
  // holds something else.
  absl::StatusOr<std::optional<v1::WatchResponse>> Read() const;

  // Keeps the instructions of `policy`; writes nothing when they are those kept last.
  absl::Status Keep(const v1::WatchResponse& policy);

  // OK when there is no file.
  absl::Status Forget();

 private:
  const std::string path_;
  std::mutex mutex_;
  std::optional<std::string> last_;  // bytes that were written
};

}  // namespace stem
