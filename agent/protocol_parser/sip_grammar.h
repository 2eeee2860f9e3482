// SPDX-License-Identifier: Apache-2.0
// The pieces of RFC 3261's grammar (section 25) that the firewall reads itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem {

bool EqualsIgnoreCase(std::string_view a, std::string_view b);
std::string ToLower(std::string_view text);

// Without spaces, tabs, CR and LF at both ends.
std::string_view TrimWhitespace(std::string_view text);

// token of RFC 3261, 25.1: not empty, only its characters.
bool IsToken(std::string_view text);

// Decimal digits only, no sign, at most `limit`; nullopt otherwise.
std::optional<uint64_t> ParseDigits(std::string_view text, uint64_t limit);

// Replaces each fold (line end followed by white space; RFC 3261, 7.3.1) by one space.
std::string Unfold(std::string_view value);

// Splits at `separator` outside quoted strings and angle brackets; pieces are trimmed.
std::vector<std::string_view> SplitOutsideQuotes(std::string_view text, char separator);

// Value of the ;parameter called `name` (case-insensitive) among `parameters`, the text after an
// address or a value; empty for one without value, nullopt when there is none.
std::optional<std::string_view> FindParameter(std::string_view parameters, std::string_view name);

size_t CountParameter(std::string_view parameters, std::string_view name);

// A From, To or Contact value taken apart (RFC 3261, 20.10): views into the text given.
struct NameAddress {
  std::string_view display;  // without quotes
  std::string_view uri;
  std::string_view parameters;  // header parameters, from the first ';'
  bool bracketed = false;
};
// nullopt when brackets or quotes do not match or there is no URI.
std::optional<NameAddress> ParseNameAddress(std::string_view value);

// "sip" of "sip:bob@example.org", in lower case; empty when there is no scheme.
std::string UriScheme(std::string_view uri);

// What RFC 3261, 19.1 and 25.1 forbid in a Request-URI, in words; nullopt when it may stand.
// Only sip and sips URIs are looked into. A third colon inside an IPv6 reference is tolerated
// (RFC 5118, 4.10).
std::optional<std::string> RequestUriDefect(std::string_view uri);

}  // namespace stem
