// SPDX-License-Identifier: Apache-2.0
// Whole small files, read and replaced: configuration, certificates, keys.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace stem {

// The file's bytes. NOT_FOUND or PERMISSION_DENIED as errno says, FAILED_PRECONDITION when `path`
// is not a regular file, RESOURCE_EXHAUSTED when it is larger than `limit` bytes; all name the
// path.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit);

// Replaces `path` in one step: readers see the old bytes or the new ones, and after a crash one of
// them is there. The file gets `mode` whatever the umask is. On error `path` is as before.
absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes, mode_t mode);

}  // namespace stem
