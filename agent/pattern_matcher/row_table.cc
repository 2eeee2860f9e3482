// SPDX-License-Identifier: Apache-2.0
#include "agent/pattern_matcher/row_table.h"

#include <algorithm>

#include "absl/hash/hash.h"
#include "absl/types/span.h"

namespace stem {

uint32_t RowTable::Add(const RuleBits& bits) {
  const size_t stride = aggregates_ + words_;
  std::vector<uint32_t>& alike = by_hash_[absl::HashOf(absl::MakeConstSpan(bits))];
  for (const uint32_t row : alike) {
    if (std::equal(bits.begin(), bits.end(), rows_.words.begin() + row * stride + aggregates_)) {
      return row;
    }
  }
  alike.push_back(rows_.count);
  const size_t start = rows_.words.size();
  rows_.words.resize(start + aggregates_);
  for (size_t word = 0; word < bits.size(); ++word) {
    if (bits[word] != 0) rows_.words[start + word / 64] |= uint64_t{1} << word % 64;
  }
  rows_.words.insert(rows_.words.end(), bits.begin(), bits.end());
  return rows_.count++;
}

}  // namespace stem
