// SPDX-License-Identifier: Apache-2.0
// One agent for each instance: a lock that the kernel releases when its holder dies.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/dataplane/unique_fd.h"

namespace stem {

// Makes `directory` where needed and locks `directory`/agent.lock, which holds the process id.
// FAILED_PRECONDITION naming the process that has it. The lock ends with the returned descriptor.
absl::StatusOr<UniqueFd> LockInstance(const std::string& directory);

}  // namespace stem
