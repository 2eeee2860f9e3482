// SPDX-License-Identifier: Apache-2.0
// A rule set as the tables of bpf/rule_maps.h, ready to be written. Made by the pattern matcher's
// compiler; no kernel needed to make or to read one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bpf/stem_abi.h"

namespace stem {

// Rows of one dimension: `words` of aggregate and bits each, one after the other.
struct RuleRows {
  std::vector<uint64_t> words;
  uint32_t count = 0;
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
  std::array<RuleRows, STEM_RULE_DIMENSIONS> rows;

  size_t row_bytes() const { return (aggregates + words) * sizeof(uint64_t); }
  // What the tables take in the kernel, the per-rule counters not included.
  size_t KernelBytes() const {
    size_t rows_total = 0, nodes = 0;
    for (const RuleRows& one : rows) rows_total += one.count;
    for (const RuleAddresses& one : addresses) nodes += one.nodes.size();
    return rows_total * row_bytes() + nodes * sizeof(stem_rule_node) + 2 * sizeof(stem_rule_roots) +
           2 * sizeof(stem_rule_ports) + sizeof(stem_rule_services) + sizeof(stem_rule_entries);
  }
};

}  // namespace stem
