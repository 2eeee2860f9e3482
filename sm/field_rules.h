// SPDX-License-Identifier: Apache-2.0
// What the fields of an administrator's request may hold. Every refusal is INVALID_ARGUMENT and
// reads "FIELD: what is wrong; write what would be right".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace stem {

inline constexpr size_t kMaxUriBytes = 255;
inline constexpr size_t kMaxReasonBytes = 128;
inline constexpr size_t kMaxCommentBytes = 256;

absl::Status WrongField(std::string_view field, std::string_view wrong, std::string_view right);

// A name as in common/name.h.
absl::Status CheckUserName(std::string_view field, std::string_view name);

// UTF-8 without control characters, at most `max` bytes: it may end up in a SIP header or on a
// terminal.
absl::Status CheckLine(std::string_view field, std::string_view text, size_t max);

// The address of record (common/sip_uri.h) of a sip, sips or tel URI that is safe to put between <
// and > in a SIP header: printable ASCII without spaces, quotes and angle brackets.
absl::StatusOr<std::string> CheckedAddress(std::string_view field, std::string_view uri);

}  // namespace stem
