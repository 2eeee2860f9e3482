// SPDX-License-Identifier: Apache-2.0
#include "ctl/table.h"

#include <algorithm>
#include <numeric>

namespace stem::ctl {
namespace {

constexpr size_t kGap = 2;
constexpr size_t kNarrowest = 12;

}  // namespace

std::vector<size_t> Table::Widths(const Screen& screen) const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t width = Columns(columns_[i].title);
    for (const std::vector<Cell>& row : rows_) width = std::max(width, Columns(row[i].text));
    widths.push_back(width);
  }
  if (screen.width == 0) return widths;
  const size_t gaps = kGap * (columns_.size() - 1);
  size_t total = std::accumulate(widths.begin(), widths.end(), gaps);
  while (total > screen.width) {
    size_t widest = columns_.size();
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (!columns_[i].may_shrink || widths[i] <= kNarrowest) continue;
      if (widest == columns_.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == columns_.size()) break;  // the terminal will have to wrap
    --widths[widest];
    --total;
  }
  return widths;
}

std::string Table::Render(const Screen& screen) const {
  const std::vector<size_t> widths = Widths(screen);
  std::string out;
  const auto add_line = [&](const std::vector<Cell>& cells) {
    std::string line;
    size_t owed = 0;  // spaces not written unless something follows, so that no line ends in them
    for (size_t i = 0; i < columns_.size(); ++i) {
      const Cell& cell = cells[i];
      const std::string text = Elided(cell.text, widths[i], screen);
      const size_t space = widths[i] - std::min(widths[i], Columns(text));
      const bool right = columns_[i].align == Align::kRight;
      if (right) owed += space;
      if (!text.empty()) {
        line.append(owed, ' ');
        line += screen.Painted(cell.paint, text);
        owed = 0;
      }
      if (!right) owed += space;
      owed += kGap;
    }
    out += line;
    out += '\n';
  };
  std::vector<Cell> titles;
  for (const Column& column : columns_) titles.push_back({column.title, Paint::kBold});
  add_line(titles);
  for (const std::vector<Cell>& row : rows_) add_line(row);
  return out;
}

}  // namespace stem::ctl
