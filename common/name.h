// SPDX-License-Identifier: Apache-2.0
// What names may look like: our own (firewalls, users, certificates' identities) and those of
// hosts.
#pragma once

#include <cstddef>
#include <string_view>

namespace stem {

inline constexpr size_t kMaxNameLength = 64;

// [A-Za-z0-9._-]{1,max} that begins with a letter or digit, so that it is safe as a file name, a
// label and a part of a URN.
bool IsName(std::string_view text, size_t max = kMaxNameLength);

// A DNS host name (RFC 1123, 2.1): labels of letters, digits and inner hyphens, 253 bytes at most.
// Not what is all digits and dots, because that is an address, right or wrong.
bool IsHostName(std::string_view text);

}  // namespace stem
