// SPDX-License-Identifier: Apache-2.0
// What standard output can show: colours, characters, columns.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stem::ctl {

enum class Paint { kPlain, kBold, kDim, kRed, kGreen, kYellow, kCyan };
enum class Glyphs { kUnicode, kAscii };
enum class Colour { kAuto, kAlways, kNever };

struct Screen {
  bool colour = false;
  Glyphs glyphs = Glyphs::kUnicode;
  size_t width = 0;   // columns, 0 where lines may be of any length
  bool live = false;  // a terminal, which can be redrawn

  // What standard output is: colours on a terminal unless NO_COLOR is set (no-color.org) or TERM is
  // "dumb"; Unicode where the locale's character set is UTF-8; the terminal's width, or COLUMNS.
  static Screen OfStandardOutput(Colour colour, bool force_ascii);

  // `text`, which must be safe to show already, in a colour.
  std::string Painted(Paint paint, std::string_view text) const;

  // Text from the network made safe to show: no control characters, and only ASCII where the screen
  // has no more.
  std::string Safe(std::string_view text) const;

  // The first where the screen has Unicode, else the second.
  std::string_view Pick(std::string_view unicode, std::string_view ascii) const {
    return glyphs == Glyphs::kUnicode ? unicode : ascii;
  }
};

// Columns that UTF-8 text takes on a terminal: combining marks none, East Asian wide characters and
// emoji two (Unicode Standard Annex 11), everything else one.
size_t Columns(std::string_view text);

enum class Align { kLeft, kRight };

// Filled up with spaces to `columns`; unchanged when it is that wide already.
std::string Padded(std::string_view text, size_t columns, Align align);

// Cut to `columns` with "…" (or "...") at the end, where longer.
std::string Elided(std::string_view text, size_t columns, const Screen& screen);

}  // namespace stem::ctl
