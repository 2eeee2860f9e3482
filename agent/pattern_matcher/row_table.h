// SPDX-License-Identifier: Apache-2.0
// The rows of one dimension while they are made: every set of rules is kept once.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "agent/dataplane/compiled_rules.h"

namespace stem {

// A set of rules, by their bits.
using RuleBits = std::vector<uint64_t>;

inline void SetBit(RuleBits& bits, uint32_t bit) { bits[bit / 64] |= uint64_t{1} << bit % 64; }
inline void FlipBit(RuleBits& bits, uint32_t bit) { bits[bit / 64] ^= uint64_t{1} << bit % 64; }

class RowTable {
 public:
  // A row has `aggregates` words before its bits. Rows are added to `chunks`, which outlives the
  // table.
  RowTable(uint32_t aggregates, RuleChunks& chunks) : aggregates_(aggregates), chunks_(chunks) {}

  // The place of the row with these bits (bpf/rule_abi.h).
  uint32_t Add(const RuleBits& bits);

  // Different rows.
  size_t count() const { return known_.size(); }

 private:
  uint32_t aggregates_;
  RuleChunks& chunks_;
  absl::flat_hash_map<RuleBits, uint32_t> known_;  // to their places
};

}  // namespace stem
