// SPDX-License-Identifier: Apache-2.0
// The limits of the guards by the names that the security manager's instructions give them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "agent/dataplane/data_plane_config.h"
#include "bpf/stem_reasons.h"

namespace stem {

struct GuardLimits {
  SynGuardConfig syn;
  InviteGuardConfig invite;

  bool operator==(const GuardLimits&) const = default;
};

struct GuardThreshold {
  const char* name;    // "syn_guard.source": its place in the configuration file
  stem_module module;  // that keeps to it
  GuardLimit& (*of)(GuardLimits&);
  bool has_penalty;  // it limits single sources, which can be silenced for a time
};

// All of them, in the order of the configuration file.
std::span<const GuardThreshold> GuardThresholds();

// nullptr for a name that is none.
const GuardThreshold* FindGuardThreshold(std::string_view name);

// "syn_guard.source, syn_guard.new_sources, ...": what would be right, for error messages.
std::string GuardThresholdNames();

}  // namespace stem
