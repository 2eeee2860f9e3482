// SPDX-License-Identifier: Apache-2.0
#include "tests/user_space/machine.h"

#include <linux/bpf.h>

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
  stem_pinhole_hash_keys(1, constants_.pinhole_keys);
}

UserSpaceMap& Machine::map(std::string_view name) { return *maps_[IndexOf(name)]; }

void Machine::Use(const UserSpaceRules& rules) {
  rules.Fix(constants_);
  for (const auto& map : rules.maps()) maps_[IndexOf(map->shape().name)] = map;
}

stem_pinhole_bucket& Machine::BucketOf(const stem_pinhole_key& key, uint32_t& tag) {
  __u64 address[2];
  std::memcpy(address, key.address, sizeof(address));
  const uint64_t hash =
      stem_pinhole_hash(address, key.port, key.from_side, constants_.pinhole_keys);
  tag = stem_pinhole_tag(hash);
  const auto index = static_cast<uint32_t>(hash >> constants_.bucket_shift);
  void* bucket = map("pinhole_index").Lookup(&index);
  if (bucket == nullptr) std::abort();  // the shift does not fit the map
  return *static_cast<stem_pinhole_bucket*>(bucket);
}

stem_pinhole* Machine::FindPinhole(const stem_pinhole_key& key) {
  uint32_t tag = 0;
  for (const uint32_t slot : BucketOf(key, tag).slot) {
    if (slot == 0) continue;
    const uint32_t place = (slot & STEM_SLOT_PLACE) - 1;
    auto* pinhole = static_cast<stem_pinhole*>(map("pinholes").Lookup(&place));
    if (std::memcmp(&pinhole->key, &key, sizeof(key)) == 0) return pinhole;
  }
  return nullptr;
}

bool Machine::OpenPinhole(stem_pinhole value) {
  const stem_pinhole* before = FindPinhole(value.key);
  uint32_t tag = 0;
  stem_pinhole_bucket& bucket = BucketOf(value.key, tag);
  if (before != nullptr) {
    value.place = before->place;
  } else {
    uint32_t* const free = std::find(std::begin(bucket.slot), std::end(bucket.slot), 0);
    const uint32_t places = map("pinholes").shape().max_entries;
    value.place = 0;
    while (open_places_.contains(value.place)) ++value.place;
    if (free == std::end(bucket.slot) || value.place == places) return false;
    open_places_.insert(value.place);
    bucket.marks |= stem_pinhole_mark(tag);
    *free = tag << 24 | (value.place + 1);
  }
  return map("pinholes").Update(&value.place, &value, BPF_ANY) == 0;
}

bool Machine::ClosePinhole(const stem_pinhole_key& key) {
  const stem_pinhole* pinhole = FindPinhole(key);
  if (pinhole == nullptr) return false;
  uint32_t tag = 0;
  stem_pinhole_bucket& bucket = BucketOf(key, tag);
  bucket.marks = 0;
  for (__u32& slot : bucket.slot) {
    if ((slot & STEM_SLOT_PLACE) == pinhole->place + 1) slot = 0;
    if (slot != 0) bucket.marks |= stem_pinhole_mark(slot >> 24);
  }
  open_places_.erase(pinhole->place);
  const stem_pinhole_details nothing{};
  return map("pinhole_details").Update(&pinhole->place, &nothing, BPF_ANY) == 0;
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
