// SPDX-License-Identifier: Apache-2.0
// From what an administrator writes about a user to what is stored.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sm/store/store.h"

namespace stem {

// Checks every field and makes the keys. `domains` are those served, canonical: a user is found
// only under an address in one of them. INVALID_ARGUMENT names the field and says what would be
// right.
absl::StatusOr<UserRecord> ToUserRecord(const v1::User& user,
                                        const std::vector<std::string>& domains);

}  // namespace stem
