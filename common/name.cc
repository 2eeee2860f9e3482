// SPDX-License-Identifier: Apache-2.0
#include "common/name.h"

#include <algorithm>

namespace stem {
namespace {

bool IsAlphanumeric(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool IsHostLabel(std::string_view label) {
  constexpr size_t kMaxLabelLength = 63;
  // A label is a name without the two characters a host name may not have.
  return IsName(label, kMaxLabelLength) && label.find_first_of("._") == std::string_view::npos &&
         label.back() != '-';
}

}  // namespace

bool IsName(std::string_view text, size_t max) {
  return !text.empty() && text.size() <= max && IsAlphanumeric(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return IsAlphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

bool IsHostName(std::string_view text) {
  if (text.size() > 253) return false;
  size_t start = 0;
  for (;;) {
    const size_t dot = std::min(text.find('.', start), text.size());
    if (!IsHostLabel(text.substr(start, dot - start))) return false;
    if (dot == text.size()) break;
    start = dot + 1;
  }
  return text.find_first_not_of("0123456789.") != std::string_view::npos;
}

}  // namespace stem
