// SPDX-License-Identifier: Apache-2.0
#include "agent/pattern_matcher/rule_compiler.h"

#include <netinet/in.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "agent/pattern_matcher/address_trie.h"
#include "agent/pattern_matcher/row_table.h"
#include "agent/pattern_matcher/rule_order.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr uint32_t kWordRules = 64;
constexpr uint32_t kPorts = 65536;

uint32_t WordsFor(size_t bits) {
  return static_cast<uint32_t>((bits + kWordRules - 1) / kWordRules);
}

double MiB(size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

class Compiler {
 public:
  Compiler(std::span<const Rule> rules, OrderBy by) : rules_(rules) {
    const RuleOrder order = OrderRules(rules, by);
    out_.words = WordsFor(order.bits);
    out_.aggregates = WordsFor(out_.words);
    out_.observers = order.observers;
    for (size_t i = 0; i < rules.size(); ++i) {
      out_.rules.push_back({rules[i].name, rules[i].action, order.bit_of[i]});
    }
  }

  CompiledRules Compile() && {
    AddAddresses(0, &Rule::source);
    AddAddresses(1, &Rule::destination);
    AddPorts(0, &Rule::source_ports);
    AddPorts(1, &Rule::destination_ports);
    AddServices();
    return std::move(out_);
  }

 private:
  uint32_t Bit(size_t rule) const { return out_.rules[rule].bit; }
  RuleBits NoRules() const { return RuleBits(out_.words); }
  RowTable NewRows() { return RowTable(out_.aggregates, out_.chunks); }

  void AddAddresses(size_t which, std::optional<Prefix> Rule::*field) {
    RowTable rows = NewRows();
    RuleBits wildcards = NoRules();
    std::map<std::pair<IpAddress, int>, std::vector<uint32_t>> named;
    for (uint32_t i = 0; i < rules_.size(); ++i) {
      const std::optional<Prefix>& prefix = rules_[i].*field;
      if (!prefix) {
        SetBit(wildcards, Bit(i));
      } else {
        named[{prefix->address, prefix->bits}].push_back(Bit(i));
      }
    }
    std::vector<PrefixRules> prefixes;
    prefixes.reserve(named.size());
    for (auto& [key, rules] : named) {
      prefixes.push_back({Prefix{key.first, key.second}, std::move(rules)});
    }
    out_.addresses[which] = BuildAddressTrie(std::move(prefixes), wildcards, rows);
    out_.used[which] = rows.count() > 1;
  }

  // One pass over all ports, with the rules whose range holds the port at hand.
  void AddPorts(size_t which, PortRange Rule::*field) {
    RowTable rows = NewRows();
    RuleBits current = NoRules();
    std::vector<std::pair<uint32_t, uint32_t>> flips;  // at this port, this bit begins or ends
    for (uint32_t i = 0; i < rules_.size(); ++i) {
      const PortRange& range = rules_[i].*field;
      flips.emplace_back(range.first, Bit(i));
      flips.emplace_back(range.last + 1u, Bit(i));
    }
    std::sort(flips.begin(), flips.end());
    stem_rule_ports& table = *out_.ports[which];
    // Every rule has a range, so only without rules, or below all ranges, a port has no rule.
    if (flips.empty() || flips.front().first > 0) {
      std::fill(std::begin(table.row), std::end(table.row), rows.Add(current));
    }
    for (size_t i = 0; i < flips.size();) {
      const uint32_t port = flips[i].first;
      if (port >= kPorts) break;
      while (i < flips.size() && flips[i].first == port) FlipBit(current, flips[i++].second);
      const uint32_t end = i < flips.size() ? std::min(flips[i].first, kPorts) : kPorts;
      std::fill(table.row + port, table.row + end, rows.Add(current));
    }
    out_.used[2 + which] = rows.count() > 1;
  }

  // What a rule asks of the service dimension.
  struct Service {
    stem_side from;
    std::optional<uint8_t> protocol;
    std::optional<uint8_t> icmp_type;
    uint8_t flags_mask;
    uint8_t flags_value;
    bool needs_transport;
    auto operator<=>(const Service&) const = default;

    bool Allows(stem_side side, uint32_t service) const {
      if (from != STEM_SIDE_NONE && from != side) return false;
      if (service < STEM_SERVICE_TCP) {
        return !needs_transport && (!protocol || *protocol == service);
      }
      const uint8_t detail = static_cast<uint8_t>(service % 256);
      if (service == STEM_SERVICE_UDP) return !protocol || *protocol == IPPROTO_UDP;
      if (service < STEM_SERVICE_ICMP) {
        return (!protocol || *protocol == IPPROTO_TCP) && (detail & flags_mask) == flags_value;
      }
      const int icmp = service < STEM_SERVICE_ICMPV6 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
      return (!protocol || *protocol == icmp) && (!icmp_type || *icmp_type == detail);
    }
  };

  static Service ServiceOf(const Rule& rule) {
    return {rule.from,
            rule.protocol,
            rule.icmp_type,
            rule.tcp_flags.mask,
            rule.tcp_flags.value,
            rule.icmp_type.has_value() || rule.tcp_flags.mask != 0 || !rule.source_ports.any() ||
                !rule.destination_ports.any()};
  }

  void AddServices() {
    RowTable rows = NewRows();
    std::map<Service, RuleBits> wanted;
    for (uint32_t i = 0; i < rules_.size(); ++i) {
      RuleBits& bits = wanted.try_emplace(ServiceOf(rules_[i]), NoRules()).first->second;
      SetBit(bits, Bit(i));
    }
    // Most services are wanted by the same few: their row is made once.
    std::map<std::vector<const RuleBits*>, uint32_t> made;
    for (const stem_side side : {STEM_SIDE_OUTSIDE, STEM_SIDE_INSIDE}) {
      for (uint32_t service = 0; service < STEM_SERVICES; ++service) {
        std::vector<const RuleBits*> parts;
        for (const auto& [want, bits] : wanted) {
          if (want.Allows(side, service)) parts.push_back(&bits);
        }
        auto [found, is_new] = made.try_emplace(parts, 0);
        if (is_new) found->second = rows.Add(Union(parts));
        (side == STEM_SIDE_OUTSIDE ? out_.services->outside : out_.services->inside)[service] =
            found->second;
      }
    }
  }

  RuleBits Union(const std::vector<const RuleBits*>& parts) const {
    RuleBits all = NoRules();
    for (const RuleBits* part : parts) {
      for (size_t word = 0; word < all.size(); ++word) all[word] |= (*part)[word];
    }
    return all;
  }

  std::span<const Rule> rules_;
  CompiledRules out_;
};

// Which field tells rules apart and which they share depends on the site. What is shared comes
// first, because then its rows are short. (Rules of one word are in the order of the list.)
CompiledRules CompileSmallest(std::span<const Rule> rules) {
  CompiledRules smallest = Compiler(rules, OrderBy::kSource).Compile();
  if (rules.size() <= kWordRules) return smallest;
  for (const OrderBy by : {OrderBy::kDestination, OrderBy::kDestinationPorts}) {
    CompiledRules other = Compiler(rules, by).Compile();
    if (other.chunks.words() < smallest.chunks.words()) smallest = std::move(other);
  }
  return smallest;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const CompiledRules>> CompileRules(std::span<const Rule> rules,
                                                                  const RuleLimits& limits) {
  if (rules.size() > std::min<size_t>(limits.rules, STEM_MAX_RULES)) {
    return absl::ResourceExhaustedError(
        fmt::format("{} rules, limits.rules allows {}", rules.size(), limits.rules));
  }
  const auto observers = std::count_if(rules.begin(), rules.end(), [](const Rule& rule) {
    return rule.action == STEM_RULE_OBSERVE;
  });
  if (observers > STEM_MAX_OBSERVERS) {
    return absl::ResourceExhaustedError(
        fmt::format("{} rules with action observe, at most {} can be looked at for one packet",
                    observers, STEM_MAX_OBSERVERS));
  }
  CompiledRules compiled = CompileSmallest(rules);
  if (compiled.KernelBytes() > limits.kernel_bytes) {
    return absl::ResourceExhaustedError(
        fmt::format("the rules need {:.1f} MiB of kernel memory, limits.rule_memory allows {:.1f} "
                    "MiB (a swap holds two sets)",
                    MiB(compiled.KernelBytes()), MiB(limits.kernel_bytes)));
  }
  return std::make_shared<const CompiledRules>(std::move(compiled));
}

}  // namespace stem
