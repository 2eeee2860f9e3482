// SPDX-License-Identifier: Apache-2.0
#include "agent/pattern_matcher/row_table.h"

#include <algorithm>
#include <utility>

#include "bpf/rule_abi.h"

namespace stem {
namespace {

// A half-open run of words.
struct Run {
  uint32_t begin = 0;
  uint32_t end = 0;
  uint32_t size() const { return end - begin; }
};

// From the first word that is not empty to the last.
Run KeptPart(const RuleBits& bits) {
  const auto is_set = [](uint64_t word) { return word != 0; };
  const auto first = std::find_if(bits.begin(), bits.end(), is_set);
  const auto last = std::find_if(bits.rbegin(), std::make_reverse_iterator(first), is_set);
  return {static_cast<uint32_t>(first - bits.begin()),
          static_cast<uint32_t>(last.base() - bits.begin())};
}

Run LongestEmptyRun(const RuleBits& bits, const Run& within) {
  Run longest, run{within.begin, within.begin};
  for (uint32_t word = within.begin; word < within.end; ++word) {
    if (bits[word] != 0) {
      run = {word + 1, word + 1};
    } else {
      run.end = word + 1;
      if (run.size() > longest.size()) longest = run;
    }
  }
  return longest;
}

}  // namespace

uint32_t RowTable::Add(const RuleBits& bits) {
  const auto [known, is_new] = known_.try_emplace(bits, 0);
  if (!is_new) return known->second;

  const Run kept = KeptPart(bits);
  const Run gap = LongestEmptyRun(bits, kept);
  std::vector<uint64_t> row = {uint64_t{kept.begin} << STEM_ROW_FIRST |
                               uint64_t{gap.begin} << STEM_ROW_GAP_AT |
                               uint64_t{gap.size()} << STEM_ROW_GAP};
  RuleBits aggregates(aggregates_);
  for (uint32_t word = 0; word < bits.size(); ++word) {
    if (bits[word] != 0) SetBit(aggregates, word);
  }
  row.insert(row.end(), aggregates.begin(), aggregates.end());
  for (uint32_t word = kept.begin; word < kept.end; ++word) {
    if (word < gap.begin || word >= gap.end) row.push_back(bits[word]);
  }
  return known->second = chunks_.Append(row);
}

}  // namespace stem
