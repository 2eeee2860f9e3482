// SPDX-License-Identifier: Apache-2.0
// Spam entries and calls brought to the same canonical keys, so that a call is matched with a few
// look-ups however many entries there are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/address.h"
#include "sm/store/store.h"

namespace stem {

// The record of an entry, its value in canonical form. INVALID_ARGUMENT names the field and says
// what would be right.
absl::StatusOr<SpamRecord> ToSpamRecord(const v1::SpamEntry& entry);

// Every key an entry that matches this call can have, the most particular first: the caller's URI
// (`caller` is an address of record, empty when From had none that could be read), its domain and
// the domains above it, then the prefixes of the source from the longest to the shortest.
std::vector<std::string> SpamKeysOfCall(std::string_view caller, const IpAddress& source);

// "domain spam.example": an entry for people.
std::string SpamText(const v1::SpamEntry& entry);

}  // namespace stem
