// SPDX-License-Identifier: Apache-2.0
#include "ctl/screen.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <iterator>
#include <string>

#include "absl/strings/numbers.h"
#include "common/utf8.h"
#include "fmt/format.h"

namespace stem::ctl {
namespace {

std::string_view Environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
  return value == nullptr ? std::string_view() : value;
}

size_t WidthOfStandardOutput() {
  winsize size{};
  if (isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
      size.ws_col > 0) {
    return size.ws_col;
  }
  const std::string columns(Environment("COLUMNS"));
  unsigned width = 0;
  return absl::SimpleAtoi(columns, &width) ? width : 0;
}

size_t ColumnsOf(int code_point) {
  struct Range {
    int first, last;
  };
  static constexpr Range kNone[] = {
      {0x0300, 0x036F}, {0x200B, 0x200D}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}};
  static constexpr Range kTwo[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},
                                   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
                                   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F},
                                   {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
  const auto holds = [code_point](const Range& range) {
    return code_point >= range.first && code_point <= range.last;
  };
  if (std::any_of(std::begin(kNone), std::end(kNone), holds)) return 0;
  return std::any_of(std::begin(kTwo), std::end(kTwo), holds) ? 2 : 1;
}

const char* SequenceOf(Paint paint) {
  switch (paint) {
    case Paint::kPlain:
      return "";
    case Paint::kBold:
      return "\x1b[1m";
    case Paint::kDim:
      return "\x1b[2m";
    case Paint::kRed:
      return "\x1b[31m";
    case Paint::kGreen:
      return "\x1b[32m";
    case Paint::kYellow:
      return "\x1b[33m";
    case Paint::kCyan:
      return "\x1b[36m";
  }
  return "";
}

}  // namespace

Screen Screen::OfStandardOutput(Colour colour, bool force_ascii) {
  std::setlocale(LC_CTYPE, "");
  Screen screen;
  screen.live = isatty(STDOUT_FILENO) == 1 && Environment("TERM") != "dumb";
  const bool wanted = screen.live && Environment("NO_COLOR").empty();
  screen.colour = colour == Colour::kAlways || (colour == Colour::kAuto && wanted);
  const bool utf8 = std::string_view(nl_langinfo(CODESET)) == "UTF-8";
  screen.glyphs = utf8 && !force_ascii ? Glyphs::kUnicode : Glyphs::kAscii;
  screen.width = WidthOfStandardOutput();
  return screen;
}

std::string Screen::Painted(Paint paint, std::string_view text) const {
  if (!colour || paint == Paint::kPlain || text.empty()) return std::string(text);
  return fmt::format("{}{}\x1b[0m", SequenceOf(paint), text);
}

std::string Screen::Safe(std::string_view text) const {
  std::string printable = ToPrintable(text);
  if (glyphs == Glyphs::kUnicode) return printable;
  std::string ascii;
  for (std::string_view rest = printable; !rest.empty();) {
    const int code_point = TakeCodePoint(&rest);
    if (code_point < 0x80) {
      ascii += static_cast<char>(code_point);
    } else {
      fmt::format_to(std::back_inserter(ascii), "\\u{{{:04X}}}", code_point);
    }
  }
  return ascii;
}

size_t Columns(std::string_view text) {
  size_t columns = 0;
  while (!text.empty()) columns += ColumnsOf(TakeCodePoint(&text));
  return columns;
}

std::string Padded(std::string_view text, size_t columns, Align align) {
  const size_t used = Columns(text);
  const std::string space(columns > used ? columns - used : 0, ' ');
  return align == Align::kLeft ? fmt::format("{}{}", text, space)
                               : fmt::format("{}{}", space, text);
}

std::string Elided(std::string_view text, size_t columns, const Screen& screen) {
  if (Columns(text) <= columns) return std::string(text);
  const std::string_view mark = screen.Pick("…", "...");
  if (columns <= Columns(mark)) return std::string(columns, '.');
  const size_t room = columns - Columns(mark);
  std::string_view rest = text;
  size_t taken = 0;
  size_t used = 0;
  while (!rest.empty()) {
    used += ColumnsOf(TakeCodePoint(&rest));
    if (used > room) break;
    taken = text.size() - rest.size();
  }
  return fmt::format("{}{}", text.substr(0, taken), mark);
}

}  // namespace stem::ctl
