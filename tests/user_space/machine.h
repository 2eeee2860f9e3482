// SPDX-License-Identifier: Apache-2.0
// The kernel's pipeline in user space: the same C, over maps, a clock and routes of this object, so
// that sanitizers see what the verifier cannot and a fuzzer runs it a hundred thousand times a
// second. One machine runs at a time.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/dataplane/compiled_rules.h"
#include "tests/user_space/frame.h"
#include "tests/user_space/map.h"
#include "tests/user_space/program.h"

struct bpf_fib_lookup;

namespace stem {

// A rule set as the maps a pipeline is loaded with. Any number of machines may use one: rules that
// count do it in the machine's `rule_counters`, the slot of a rule being its place in the list.
class UserSpaceRules {
 public:
  // `rules` must outlive this.
  explicit UserSpaceRules(const CompiledRules& rules);

  const std::vector<std::shared_ptr<UserSpaceMap>>& maps() const { return maps_; }
  // What of `constants` belongs to a rule set.
  void Fix(pipeline_constants& constants) const;

 private:
  UserSpaceMap& Make(std::string_view name);

  pipeline_constants constants_{};
  std::unique_ptr<stem_rule_entries> entries_ = std::make_unique<stem_rule_entries>();
  std::vector<std::shared_ptr<UserSpaceMap>> maps_;
};

struct Arrival {
  uint32_t ifindex = 0;
  uint32_t queue = 0;
};

// A counter that moved.
struct Counted {
  stem_reason reason = STEM_REASON_MAX;
  stem_side side = STEM_SIDE_NONE;
  uint64_t packets = 0;
  uint64_t bytes = 0;
};

// What became of one frame.
struct Fate {
  int verdict = 0;
  std::vector<uint8_t> out;
  std::vector<Counted> counted;  // nothing in a dry run
  stem_trace trace{};            // in a dry run
  std::vector<stem_event> events;
  uint32_t redirected_to = 0;      // interface, 0 when it went to none
  std::optional<uint64_t> socket;  // key in `xsks`, when it went there
};

class Machine {
 public:
  // Empty maps, no interface yet, all modules off, everything else as the source has it.
  Machine();

  pipeline_constants& constants() { return constants_; }
  UserSpaceMap& map(std::string_view name);
  void Use(const UserSpaceRules& rules);
  // Pinholes as the agent opens them, as many as map `pinholes` has entries. The kernel's state of
  // the one for `key`, or null.
  stem_pinhole* FindPinhole(const stem_pinhole_key& key);
  // For value.key, in place of the one there was; false when there is no room.
  bool OpenPinhole(stem_pinhole value);
  bool ClosePinhole(const stem_pinhole_key& key);

  uint64_t now_ns = 1'000'000'000;  // both of the kernel's clocks
  uint64_t cookie_secret = 0x5eed;
  // Answers bpf_fib_lookup(): a BPF_FIB_LKUP_RET_; where none is set, not forwarded.
  std::function<long(bpf_fib_lookup& route)> route;
  // Work so far.
  uint64_t lookups = 0;
  uint64_t loop_steps = 0;

  Fate Run(std::span<const uint8_t> frame, const Arrival& arrival);
  // As Run(), as a simulation does it (agent/dataplane/simulator.h).
  Fate DryRun(std::span<const uint8_t> frame, const Arrival& arrival);
  user_space_match Match(const user_space_packet& packet);

  // Of all maps but `trace`.
  std::map<std::string, std::map<std::string, std::string>> Contents() const;

 private:
  friend class Helpers;

  using AllCounters = std::array<stem_counters, STEM_SIDE_MAX>;

  void Enter();
  stem_pinhole_bucket& BucketOf(const stem_pinhole_key& key, uint32_t& tag);
  AllCounters ReadCounters();

  pipeline_constants constants_;
  std::vector<std::shared_ptr<UserSpaceMap>> maps_;  // as declared_maps
  std::set<uint32_t> open_places_;                   // of `pinholes`
  FrameMemory* frame_ = nullptr;                     // that runs
  Fate* fate_ = nullptr;
  std::unique_ptr<uint8_t[]> reserved_;  // of the ring buffer, not yet submitted
};

}  // namespace stem
