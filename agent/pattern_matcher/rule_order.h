// SPDX-License-Identifier: Apache-2.0
// Which bit stands for which rule: rules with like addresses side by side, so that few words have
// a bit in the rows of both addresses of a packet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "agent/pattern_matcher/rule.h"

namespace stem {

// What comes first.
enum class OrderBy { kSource, kDestination, kDestinationPorts };

struct RuleOrder {
  std::vector<uint32_t> bit_of;  // by place in the list
  size_t bits = 0;               // one more than the highest
  uint32_t observers = 0;        // if there are any, they alone have the first 64 bits
};

// Within each word of 64 bits the rules are in the order of the list.
RuleOrder OrderRules(std::span<const Rule> rules, OrderBy by);

}  // namespace stem
