// SPDX-License-Identifier: Apache-2.0
#include "common/utf8.h"

#include <cstdint>
#include <iterator>

#include "fmt/format.h"

namespace stem {
namespace {

enum class Escape { kInvalid, kUnprintable };

// Unicode 15, Bidi_Control, and the two separators that some terminals treat as line breaks.
bool IsBidiOrSeparator(int code_point) {
  return code_point == 0x061C || code_point == 0x200E || code_point == 0x200F ||
         (code_point >= 0x2028 && code_point <= 0x202E) ||
         (code_point >= 0x2066 && code_point <= 0x2069);
}

bool IsControl(int code_point) {
  return code_point < 0x20 || (code_point >= 0x7F && code_point <= 0x9F);
}

std::string Escaped(std::string_view text, Escape what) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::string_view before = text;
    const int code_point = TakeCodePoint(&text);
    const std::string_view character = before.substr(0, before.size() - text.size());
    if (code_point < 0) {
      fmt::format_to(std::back_inserter(out), "\\x{:02X}", static_cast<uint8_t>(character[0]));
    } else if (what == Escape::kUnprintable && IsControl(code_point)) {
      fmt::format_to(std::back_inserter(out), "\\x{:02X}", code_point);
    } else if (what == Escape::kUnprintable && IsBidiOrSeparator(code_point)) {
      fmt::format_to(std::back_inserter(out), "\\u{{{:04X}}}", code_point);
    } else {
      out += character;
    }
  }
  return out;
}

}  // namespace

int TakeCodePoint(std::string_view* text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>((*text)[i]); };
  const uint8_t lead = byte(0);
  size_t length = 1;
  int code_point = lead;
  int smallest = 0;
  if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    code_point = lead & 0x07;
    smallest = 0x10000;
  } else if (lead >= 0xE0 && lead < 0xF0) {
    length = 3;
    code_point = lead & 0x0F;
    smallest = 0x800;
  } else if (lead >= 0xC2 && lead < 0xE0) {
    length = 2;
    code_point = lead & 0x1F;
    smallest = 0x80;
  } else if (lead >= 0x80) {
    code_point = -1;
  }
  if (length > text->size()) code_point = -1;
  for (size_t i = 1; i < length && code_point >= 0; ++i) {
    code_point = (byte(i) & 0xC0) == 0x80 ? (code_point << 6) | (byte(i) & 0x3F) : -1;
  }
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (code_point < smallest || code_point > 0x10FFFF || surrogate) code_point = -1;
  text->remove_prefix(code_point < 0 ? 1 : length);
  return code_point;
}

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    if (TakeCodePoint(&text) < 0) return false;
  }
  return true;
}

std::string ToValidUtf8(std::string_view text) { return Escaped(text, Escape::kInvalid); }

std::string ToPrintable(std::string_view text) { return Escaped(text, Escape::kUnprintable); }

}  // namespace stem
