// SPDX-License-Identifier: Apache-2.0
#include "agent/pattern_matcher/address_trie.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <tuple>

namespace stem {
namespace {

constexpr int kV4Bits = 96;  // before an IPv4 prefix in its 16-byte form
constexpr size_t kRootBytes = 2;

struct RowPrefix {
  IpAddress address;
  int bits = 0;
  uint32_t leaf = 0;  // the entry of addresses for which this is the longest prefix
};
// In the order of a walk: a prefix comes before those it holds, and they before what follows it.
using Prefixes = std::span<const RowPrefix>;

uint32_t Leaf(uint32_t place) { return STEM_RULE_LEAF | place; }

class TrieBuilder {
 public:
  explicit TrieBuilder(RuleAddresses& out) : out_(out) {}

  // Fills `table` by the two bytes of the address at `at`.
  void FillRoot(__u32 (&table)[65536], size_t at, Prefixes prefixes, uint32_t wildcard) {
    std::fill(std::begin(table), std::end(table), wildcard);
    const int end = static_cast<int>(at + kRootBytes) * 8;
    for (size_t i = 0; i < prefixes.size();) {
      const RowPrefix& prefix = prefixes[i];
      const size_t slot = size_t{prefix.address.bytes[at]} << 8 | prefix.address.bytes[at + 1];
      if (prefix.bits <= end) {
        std::fill_n(table + slot, size_t{1} << (end - prefix.bits), prefix.leaf);
        ++i;
      } else {
        const size_t count = SharedPath(prefixes.subspan(i), at + kRootBytes);
        table[slot] = Subtrie(prefixes.subspan(i, count), at + kRootBytes, table[slot]);
        i += count;
      }
    }
  }

 private:
  // How many prefixes from the first on have its first `bytes` bytes.
  static size_t SharedPath(Prefixes prefixes, size_t bytes) {
    const auto& first = prefixes.front().address.bytes;
    size_t count = 1;
    while (count < prefixes.size() &&
           std::memcmp(first.data(), prefixes[count].address.bytes.data(), bytes) == 0) {
      ++count;
    }
    return count;
  }

  // The entry for addresses that share the first `depth` bytes of `prefixes`, all of them longer
  // than that. `miss` is the entry of addresses that none of them holds.
  uint32_t Subtrie(Prefixes prefixes, size_t depth, uint32_t miss) {
    const auto& first = prefixes.front().address.bytes;
    const auto& last = prefixes.back().address.bytes;
    // Down to the first byte where a prefix ends or two differ.
    size_t at = 15;
    for (const RowPrefix& prefix : prefixes) {
      at = std::min(at, static_cast<size_t>(prefix.bits - 1) / 8);
    }
    for (size_t byte = depth; byte < at; ++byte) {
      if (first[byte] != last[byte]) at = byte;
    }
    const size_t index = out_.nodes.size();
    out_.nodes.emplace_back();
    stem_rule_node node{};
    std::memcpy(node.key, first.data(), at);
    std::memset(node.mask, 0xff, at);
    node.depth = static_cast<__u32>(at);
    node.miss = miss;
    FillNode(node, prefixes, at);
    out_.nodes[index] = node;
    return static_cast<uint32_t>(index);
  }

  void FillNode(stem_rule_node& node, Prefixes prefixes, size_t at) {
    std::fill(std::begin(node.child), std::end(node.child), node.miss);
    const int end = static_cast<int>(at + 1) * 8;
    for (size_t i = 0; i < prefixes.size();) {
      const RowPrefix& prefix = prefixes[i];
      const uint8_t slot = prefix.address.bytes[at];
      if (prefix.bits <= end) {
        std::fill_n(node.child + slot, size_t{1} << (end - prefix.bits), prefix.leaf);
        ++i;
      } else {
        const size_t count = SharedPath(prefixes.subspan(i), at + 1);
        node.child[slot] = Subtrie(prefixes.subspan(i, count), at + 1, node.child[slot]);
        i += count;
      }
    }
  }

  RuleAddresses& out_;
};

// Gives each prefix the row of its own rules and of those whose prefixes hold it.
std::vector<RowPrefix> WithRows(const std::vector<const PrefixRules*>& family,
                                const RuleBits& wildcards, RowTable& rows) {
  std::vector<RowPrefix> out;
  struct Open {
    const Prefix* prefix;
    RuleBits bits;
  };
  std::vector<Open> around;
  for (const PrefixRules* one : family) {
    while (!around.empty() && !around.back().prefix->Contains(one->prefix.address)) {
      around.pop_back();
    }
    RuleBits bits = around.empty() ? wildcards : around.back().bits;
    for (const uint32_t rule : one->rules) SetBit(bits, rule);
    out.push_back({one->prefix.address, one->prefix.bits, Leaf(rows.Add(bits))});
    around.push_back({&one->prefix, std::move(bits)});
  }
  return out;
}

}  // namespace

RuleAddresses BuildAddressTrie(std::vector<PrefixRules> prefixes, const RuleBits& wildcards,
                               RowTable& rows) {
  std::sort(prefixes.begin(), prefixes.end(), [](const PrefixRules& a, const PrefixRules& b) {
    return std::tie(a.prefix.address, a.prefix.bits) < std::tie(b.prefix.address, b.prefix.bits);
  });
  std::vector<const PrefixRules*> v4, v6;
  for (const PrefixRules& one : prefixes) {
    (one.prefix.address.is_v4() ? v4 : v6).push_back(&one);
  }
  const uint32_t wildcard = Leaf(rows.Add(wildcards));
  RuleAddresses out;
  TrieBuilder builder(out);
  builder.FillRoot(out.roots->v4, kV4Bits / 8, WithRows(v4, wildcards, rows), wildcard);
  builder.FillRoot(out.roots->v6, 0, WithRows(v6, wildcards, rows), wildcard);
  return out;
}

}  // namespace stem
