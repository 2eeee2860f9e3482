// SPDX-License-Identifier: Apache-2.0
#include "agent/external_interface/guard_thresholds.h"

#include <algorithm>

#include "fmt/format.h"

namespace stem {
namespace {

constexpr stem_module kSyn = STEM_MODULE_syn_guard;
constexpr stem_module kInvite = STEM_MODULE_invite_guard;
constexpr bool kPenalty = true;
constexpr bool kNoPenalty = false;

constexpr GuardThreshold kThresholds[] = {
    {"syn_guard.source", kSyn, [](GuardLimits& l) -> GuardLimit& { return l.syn.source; },
     kPenalty},
    {"syn_guard.new_sources", kSyn, [](GuardLimits& l) -> GuardLimit& { return l.syn.new_sources; },
     kNoPenalty},
    {"syn_guard.destination", kSyn, [](GuardLimits& l) -> GuardLimit& { return l.syn.destination; },
     kNoPenalty},
    {"invite_guard.invite", kInvite, [](GuardLimits& l) -> GuardLimit& { return l.invite.invite; },
     kPenalty},
    {"invite_guard.register", kInvite,
     [](GuardLimits& l) -> GuardLimit& { return l.invite.registers; }, kPenalty},
    {"invite_guard.other", kInvite, [](GuardLimits& l) -> GuardLimit& { return l.invite.other; },
     kPenalty},
    {"invite_guard.response", kInvite,
     [](GuardLimits& l) -> GuardLimit& { return l.invite.response; }, kPenalty},
    {"invite_guard.new_sources", kInvite,
     [](GuardLimits& l) -> GuardLimit& { return l.invite.new_sources; }, kNoPenalty},
};

}  // namespace

std::span<const GuardThreshold> GuardThresholds() { return kThresholds; }

const GuardThreshold* FindGuardThreshold(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kThresholds), std::end(kThresholds),
                   [&](const GuardThreshold& threshold) { return name == threshold.name; });
  return found == std::end(kThresholds) ? nullptr : found;
}

std::string GuardThresholdNames() {
  std::string names;
  for (const GuardThreshold& threshold : kThresholds) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", threshold.name);
  }
  return names;
}

}  // namespace stem
