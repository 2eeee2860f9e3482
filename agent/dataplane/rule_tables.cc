// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/rule_tables.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <unordered_set>

#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/map_walk.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "stem_pipeline.skel.h"

namespace stem {
namespace {

absl::Status Write(const bpf_map* map, uint32_t index, const void* value) {
  if (bpf_map_update_elem(bpf_map__fd(map), &index, value, BPF_ANY) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, fmt::format("writing map {}", bpf_map__name(map)));
}

stem_rule_name ToKernel(const std::string& name) {
  stem_rule_name out{};
  name.copy(out.text, sizeof(out.text) - 1);
  return out;
}

absl::Status ClearCounter(int counters_fd, uint32_t slot) {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) return ErrnoStatus(cpus, "counting CPUs");
  const std::vector<stem_count> zeros(static_cast<size_t>(cpus));
  if (bpf_map_update_elem(counters_fd, &slot, zeros.data(), BPF_ANY) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, "clearing a rule's counter");
}

// Finds slots nobody has, then those of names that are gone.
class SlotAssignment {
 public:
  SlotAssignment(const CompiledRules& rules, RuleSlots taken, const stem_pipeline& pipeline)
      : taken_(std::move(taken)),
        slots_fd_(bpf_map__fd(pipeline.maps.rule_slots)),
        counters_fd_(bpf_map__fd(pipeline.maps.rule_counters)),
        limit_(bpf_map__max_entries(pipeline.maps.rule_slots)) {
    for (const CompiledRules::Entry& rule : rules.rules) wanted_.insert(rule.name);
    for (const auto& [name, slot] : taken_) used_.insert(slot);
  }

  absl::StatusOr<uint32_t> For(const std::string& name) {
    if (const auto found = taken_.find(name); found != taken_.end()) return found->second;
    if (used_.size() >= limit_) RETURN_IF_ERROR(Reclaim());
    if (used_.size() >= limit_) {
      return absl::ResourceExhaustedError(fmt::format(
          "there are counters for {} rules, and the set has more: make it smaller", limit_));
    }
    while (used_.contains(next_)) ++next_;
    // Zero before it has a name: a crash in between leaves the slot free.
    RETURN_IF_ERROR(ClearCounter(counters_fd_, next_));
    const stem_rule_name key = ToKernel(name);
    if (bpf_map_update_elem(slots_fd_, &key, &next_, BPF_ANY) != 0) {
      return ErrnoStatus(errno, fmt::format("giving rule {} a counter", name));
    }
    used_.insert(next_);
    taken_[name] = next_;
    return next_;
  }

 private:
  absl::Status Reclaim() {
    for (auto one = taken_.begin(); one != taken_.end();) {
      if (wanted_.contains(one->first)) {
        ++one;
        continue;
      }
      const stem_rule_name key = ToKernel(one->first);
      if (bpf_map_delete_elem(slots_fd_, &key) != 0 && errno != ENOENT) {
        return ErrnoStatus(errno, fmt::format("taking the counter of rule {}", one->first));
      }
      used_.erase(one->second);
      one = taken_.erase(one);
    }
    next_ = 0;
    return absl::OkStatus();
  }

  RuleSlots taken_;
  std::unordered_set<std::string> wanted_;
  std::unordered_set<uint32_t> used_;
  uint32_t next_ = 0;
  int slots_fd_;
  int counters_fd_;
  uint32_t limit_;
};

absl::Status FillEntries(const CompiledRules& rules, const stem_pipeline& pipeline) {
  ASSIGN_OR_RETURN(RuleSlots taken, ReadRuleSlots(bpf_map__fd(pipeline.maps.rule_slots)));
  SlotAssignment slots(rules, std::move(taken), pipeline);
  const auto entries = std::make_unique<stem_rule_entries>();
  for (uint32_t i = 0; i < rules.rules.size(); ++i) {
    ASSIGN_OR_RETURN(const uint32_t slot, slots.For(rules.rules[i].name));
    entries->of[rules.rules[i].bit] = RuleEntry(i, slot, rules.rules[i].action);
  }
  return Write(pipeline.maps.rule_entries, 0, entries.get());
}

}  // namespace

absl::Status SizeRuleTables(const CompiledRules& rules, stem_pipeline& pipeline) {
  auto& fixed = *pipeline.rodata;
  fixed.rule_count = static_cast<uint32_t>(rules.rules.size());
  fixed.rule_words = rules.words;
  fixed.rule_aggregates = rules.aggregates;
  fixed.rule_observers = rules.observers;
  fixed.rules_observe = rules.observers > 0;
  if (rules.rules.empty()) return absl::OkStatus();

  std::copy(rules.used.begin(), rules.used.end(), fixed.rule_dimension_used);
  uint32_t node_count = 0;
  for (size_t i = 0; i < rules.addresses.size(); ++i) {
    fixed.rule_node_base[i] = node_count;
    node_count += static_cast<uint32_t>(rules.addresses[i].nodes.size());
  }
  const auto size = [](bpf_map* map, uint32_t entries) {
    return bpf_map__set_max_entries(map, std::max(entries, 1u));
  };
  for (const int error :
       {size(pipeline.maps.rule_nodes, node_count),
        size(pipeline.maps.rule_chunks, static_cast<uint32_t>(rules.chunks.all().size()))}) {
    if (error != 0) return ErrnoStatus(error, "sizing the tables of the rules");
  }
  return absl::OkStatus();
}

absl::Status FillRuleTables(const CompiledRules& rules, const stem_pipeline& pipeline) {
  if (rules.rules.empty()) return absl::OkStatus();
  uint32_t node = 0, chunk = 0;
  for (const stem_rule_chunk& one : rules.chunks.all()) {
    RETURN_IF_ERROR(Write(pipeline.maps.rule_chunks, chunk++, &one));
  }
  for (uint32_t which = 0; which < rules.addresses.size(); ++which) {
    const RuleAddresses& addresses = rules.addresses[which];
    RETURN_IF_ERROR(Write(pipeline.maps.rule_roots, which, addresses.roots.get()));
    RETURN_IF_ERROR(Write(pipeline.maps.rule_ports, which, rules.ports[which].get()));
    for (const stem_rule_node& one : addresses.nodes) {
      RETURN_IF_ERROR(Write(pipeline.maps.rule_nodes, node++, &one));
    }
  }
  RETURN_IF_ERROR(Write(pipeline.maps.rule_services, 0, rules.services.get()));
  return FillEntries(rules, pipeline);
}

absl::StatusOr<RuleSlots> ReadRuleSlots(int slots_fd) {
  RuleSlots out;
  RETURN_IF_ERROR((WalkMap<stem_rule_name, uint32_t>(
      slots_fd, "rule_slots", [&](const stem_rule_name& key, uint32_t slot) {
        out[std::string(key.text, strnlen(key.text, sizeof(key.text)))] = slot;
      })));
  return out;
}

absl::StatusOr<stem_count> ReadRuleCounter(int counters_fd, uint32_t slot) {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) return ErrnoStatus(cpus, "counting CPUs");
  std::vector<stem_count> each(static_cast<size_t>(cpus));
  if (bpf_map_lookup_elem(counters_fd, &slot, each.data()) != 0) {
    return ErrnoStatus(errno, "reading a rule's counter");
  }
  stem_count sum{};
  for (const stem_count& one : each) {
    sum.packets += one.packets;
    sum.bytes += one.bytes;
  }
  return sum;
}

}  // namespace stem
