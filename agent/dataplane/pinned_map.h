// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/dataplane/unique_fd.h"

namespace stem {

// The map that an instance of the data plane has pinned as `name` in `directory`.
absl::StatusOr<UniqueFd> OpenPinnedMap(const std::string& directory, const char* name);

}  // namespace stem
