// SPDX-License-Identifier: Apache-2.0
// Text from the network made safe to carry (protobuf strings must be UTF-8) and safe to show
// (terminals obey control characters).
#pragma once

#include <string>
#include <string_view>

namespace stem {

// Takes the first character off a non-empty `*text` and returns its code point; -1 when the first
// byte begins no well-formed UTF-8 sequence (RFC 3629: overlong forms, surrogates and values above
// 0x10FFFF are not well-formed), in which case that one byte is taken.
int TakeCodePoint(std::string_view* text);

bool IsValidUtf8(std::string_view text);

// Every byte that belongs to no well-formed character is replaced by `\xNN`. Valid text is
// unchanged.
std::string ToValidUtf8(std::string_view text);

// As ToValidUtf8, and what could move the cursor, recolour the screen or turn the order of letters
// is replaced as well: C0 and C1 controls and DEL by `\xNN`, the bidirectional controls and the
// line and paragraph separators by `\u{NNNN}`.
std::string ToPrintable(std::string_view text);

}  // namespace stem
