// SPDX-License-Identifier: Apache-2.0
// A failed system call as a Status that says what was tried.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace stem {

// "WHAT: STRERROR"; the code follows `error` (ENOENT -> NOT_FOUND, E2BIG and ENOSPC ->
// RESOURCE_EXHAUSTED, EPERM -> PERMISSION_DENIED, EEXIST -> ALREADY_EXISTS, EBUSY -> UNAVAILABLE,
// others INTERNAL). `error` may be given negative, as libbpf and libxdp return it.
absl::Status ErrnoStatus(int error, std::string_view what);

}  // namespace stem
