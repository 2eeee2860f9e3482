// SPDX-License-Identifier: Apache-2.0
// A rule set as the tables of bpf/rule_maps.h, ready to be written. Made by the pattern matcher's
// compiler; no kernel needed to make or to read one.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bpf/rule_abi.h"

namespace stem {

// As `rule_entries` has it (bpf/rule_abi.h).
inline uint32_t RuleEntry(uint32_t place, uint32_t slot, stem_rule_action action) {
  return place << STEM_ENTRY_PLACE | slot << STEM_ENTRY_SLOT | static_cast<uint32_t>(action);
}

// The rows of all dimensions, one behind the other.
class RuleChunks {
 public:
  // The place where the row was put.
  uint32_t Append(std::span<const uint64_t> row) {
    if (chunks_.empty() || next_ >= STEM_CHUNK_STARTS) {
      chunks_.emplace_back();
      next_ = 0;
    }
    std::copy(row.begin(), row.end(), chunks_.back().word + next_);
    const size_t place = (chunks_.size() - 1) * STEM_CHUNK_STARTS + next_;
    next_ += row.size();
    words_ += row.size();
    return static_cast<uint32_t>(place);
  }
  const std::vector<stem_rule_chunk>& all() const { return chunks_; }

  // That the rows take, of 8 bytes.
  size_t words() const { return words_; }

 private:
  std::vector<stem_rule_chunk> chunks_;
  size_t next_ = 0;  // free word of the last chunk
  size_t words_ = 0;
};

struct RuleAddresses {
  std::unique_ptr<stem_rule_roots> roots = std::make_unique<stem_rule_roots>();
  std::vector<stem_rule_node> nodes;
};

struct CompiledRules {
  // What the kernel needs of a rule besides what it matches.
  struct Entry {
    std::string name;  // shorter than STEM_RULE_NAME_MAX
    stem_rule_action action = STEM_RULE_END;
    uint32_t bit = 0;
  };

  std::vector<Entry> rules;  // in the order of the list
  uint32_t words = 0;        // of 64 rules
  uint32_t aggregates = 0;   // of 64 words
  uint32_t observers = 0;
  std::array<RuleAddresses, 2> addresses;  // source, destination
  std::array<std::unique_ptr<stem_rule_ports>, 2> ports = {std::make_unique<stem_rule_ports>(),
                                                           std::make_unique<stem_rule_ports>()};
  std::unique_ptr<stem_rule_services> services = std::make_unique<stem_rule_services>();
  RuleChunks chunks;
  // Whether a dimension tells packets apart. The last is looked at always, so that the bits of a
  // match come from some row.
  std::array<bool, STEM_RULE_DIMENSIONS> used{false, false, false, false, true};

  // What the tables take in the kernel, the per-rule counters not included.
  size_t KernelBytes() const {
    size_t nodes = 0;
    for (const RuleAddresses& one : addresses) nodes += one.nodes.size();
    return chunks.all().size() * sizeof(stem_rule_chunk) + nodes * sizeof(stem_rule_node) +
           2 * sizeof(stem_rule_roots) + 2 * sizeof(stem_rule_ports) + sizeof(stem_rule_services) +
           sizeof(stem_rule_entries);
  }
};

}  // namespace stem
