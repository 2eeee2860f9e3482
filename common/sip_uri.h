// SPDX-License-Identifier: Apache-2.0
// SIP URIs as names of users: the form in which two of them are the same user.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace stem {

// The canonical address of record of a sip, sips or tel URI, for look-ups (RFC 3261, 10.3 step 5
// and 19.1.4): scheme and host in lower case, escapes of unreserved characters decoded,
// password, parameters, headers and the default port left out; sips is the same user as sip (RFC
// 5630, 3.1). A tel URI keeps its digits, visual separators left out (RFC 3966, 5.1.1).
//   "SIP:Alice:secret@Example.ORG:5060;transport=udp" -> "sip:Alice@example.org"
// INVALID_ARGUMENT names what is wrong with the text.
absl::StatusOr<std::string> AddressOfRecord(std::string_view uri);

// Host of such a canonical form, without port or brackets; empty for tel.
std::string_view HostOfRecord(std::string_view address_of_record);

}  // namespace stem
