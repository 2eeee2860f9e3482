// SPDX-License-Identifier: Apache-2.0
#include "tests/user_space/machine.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "bpf/pinhole_hash.h"
#include "tests/user_space/running_machine.h"

namespace stem {
namespace {

const pipeline_constants kAsInTheSource = read_pipeline_constants();

size_t IndexOf(std::string_view name) {
  for (uint32_t i = 0; i < declared_map_count; ++i) {
    if (name == declared_maps[i].name) return i;
  }
  std::abort();  // no such map: the caller's name is wrong
}

}  // namespace

Machine* running_machine = nullptr;

Machine::Machine() : constants_(kAsInTheSource) {
  maps_.reserve(declared_map_count);
  for (uint32_t i = 0; i < declared_map_count; ++i) {
    maps_.push_back(std::make_shared<UserSpaceMap>(declared_maps[i]));
  }
}

UserSpaceMap& Machine::map(std::string_view name) { return *maps_[IndexOf(name)]; }

void Machine::Use(const UserSpaceRules& rules) {
  rules.Fix(constants_);
  for (const auto& map : rules.maps()) maps_[IndexOf(map->shape().name)] = map;
}

void Machine::SetFilterBit(const stem_pinhole_key& key) {
  __u64 address[2];
  std::memcpy(address, key.address, sizeof(address));
  const uint64_t bit =
      stem_pinhole_hash(address, key.port, key.from_side) >> constants_.filter_shift;
  const auto index = static_cast<uint32_t>(bit / 64);
  void* word = map("pinhole_filter").Lookup(&index);
  if (word == nullptr) std::abort();  // the shift does not fit the map
  *static_cast<uint64_t*>(word) |= uint64_t{1} << bit % 64;
}

// The first word of a map's declaration points to what the helpers look for: it is null in the
// kernel's build, too, where only its type counts.
void Machine::Enter() {
  running_machine = this;
  fix_pipeline_constants(&constants_);
  for (uint32_t i = 0; i < declared_map_count; ++i) {
    UserSpaceMap* map = maps_[i].get();
    std::memcpy(declared_maps[i].declaration, &map, sizeof(static_cast<void*>(map)));
  }
}

Machine::AllCounters Machine::ReadCounters() {
  AllCounters all{};
  UserSpaceMap& counters = map("counters");
  for (uint32_t side = 0; side < STEM_SIDE_MAX; ++side) {
    std::memcpy(&all[side], counters.Lookup(&side), sizeof(stem_counters));
  }
  return all;
}

Fate Machine::Run(std::span<const uint8_t> frame, const Arrival& arrival) {
  const AllCounters before = ReadCounters();
  Fate fate;
  FrameMemory memory(frame);
  fate_ = &fate;
  frame_ = &memory;
  Enter();
  user_space_context context{reinterpret_cast<uintptr_t>(memory.data()),
                             reinterpret_cast<uintptr_t>(memory.data() + memory.size()),
                             arrival.ifindex, arrival.queue};
  fate.verdict = run_pipeline(&context);
  if (reserved_ != nullptr) std::abort();  // the verifier refuses a program that forgets to submit
  frame_ = nullptr;
  fate_ = nullptr;
  fate.out = memory.Copy();
  const AllCounters after = ReadCounters();
  for (uint32_t side = 0; side < STEM_SIDE_MAX; ++side) {
    const auto* was = reinterpret_cast<const stem_count*>(&before[side]);
    const auto* is = reinterpret_cast<const stem_count*>(&after[side]);
    for (int reason = 0; reason < STEM_REASON_MAX; ++reason) {
      if (was[reason].packets == is[reason].packets && was[reason].bytes == is[reason].bytes) {
        continue;
      }
      fate.counted.push_back({static_cast<stem_reason>(reason), static_cast<stem_side>(side),
                              is[reason].packets - was[reason].packets,
                              is[reason].bytes - was[reason].bytes});
    }
  }
  return fate;
}

Fate Machine::DryRun(std::span<const uint8_t> frame, const Arrival& arrival) {
  const uint32_t zero = 0;
  stem_trace nothing{};
  nothing.reason = STEM_REASON_MAX;
  map("trace").Update(&zero, &nothing, 0);
  constants_.dry_run = 1;
  Fate fate = Run(frame, arrival);
  constants_.dry_run = 0;
  std::memcpy(&fate.trace, map("trace").Lookup(&zero), sizeof(fate.trace));
  return fate;
}

user_space_match Machine::Match(const user_space_packet& packet) {
  Enter();
  return run_pattern_matcher(&packet);
}

std::map<std::string, std::map<std::string, std::string>> Machine::Contents() const {
  std::map<std::string, std::map<std::string, std::string>> out;
  for (const auto& map : maps_) {
    const std::string_view name = map->shape().name;
    // The tables of a rule set are megabytes, and nobody writes them but their owner.
    if (name == "trace" || (name.starts_with("rule_") && name != "rule_counters")) continue;
    out.emplace(name, map->Contents());
  }
  return out;
}

}  // namespace stem
