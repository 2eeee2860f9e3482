// SPDX-License-Identifier: Apache-2.0
// The address dimension: a trie that consumes two bytes at its root and one in each node, with
// paths that do not branch left out, so that a lookup takes two nodes for most IPv4 addresses.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/dataplane/compiled_rules.h"
#include "agent/pattern_matcher/row_table.h"
#include "common/address.h"

namespace stem {

// A prefix and the bits of the rules that name exactly it.
struct PrefixRules {
  Prefix prefix;
  std::vector<uint32_t> rules;
};

// `prefixes` of both families, each once, in no order; `wildcards` are the rules without a prefix.
// Each address leads to the row of all rules whose prefix holds it.
RuleAddresses BuildAddressTrie(std::vector<PrefixRules> prefixes, const RuleBits& wildcards,
                               RowTable& rows);

}  // namespace stem
