// SPDX-License-Identifier: Apache-2.0
// Columns of text for people.
#pragma once

#include <string>
#include <vector>

#include "ctl/screen.h"

namespace stem::ctl {

struct Cell {
  std::string text;  // safe to show (Screen::Safe)
  Paint paint = Paint::kPlain;
};

struct Column {
  std::string title;
  Align align = Align::kLeft;
  bool may_shrink = false;  // cut with an ellipsis where the screen is too narrow
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns.
  void AddRow(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }

  // A line of titles, then one line per row, each ended by a newline. Where the screen is narrower
  // than the table, the widest of the columns that may shrink give way, down to 12 columns each.
  std::string Render(const Screen& screen) const;

 private:
  std::vector<size_t> Widths(const Screen& screen) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace stem::ctl
