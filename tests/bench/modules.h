// SPDX-License-Identifier: Apache-2.0
// What the bench can measure already. A measure whose module is not in the data plane yet runs all
// the same, as the traffic is treated today, and says in its result what it waits for. When the
// module lands: fill in the place named here, and empty the text.
#pragma once

#include <string_view>

namespace stem {

// SYN guard: StemContestant::DefaultConfig sets its threshold (kSynsPerSecond).
inline constexpr std::string_view kSynGuardPending = "the SYN guard";
// INVITE guard: the same, with kInvitesPerSecond.
inline constexpr std::string_view kInviteGuardPending = "the INVITE guard";
// Rate policing: PolicedGrant in stem_contestant.cc fills in the grant's rate and burst.
inline constexpr std::string_view kPolicingPending = "rate policing";
// More than STEM_MAX_RULES rules: PutBenchRules and kMostRules in bench_rules.
inline constexpr std::string_view kClassifierPending = "the rule classifier";

// Thresholds of the guards, and of the peers that do the same work.
inline constexpr int kSynsPerSecond = 10;
inline constexpr int kInvitesPerSecond = 10;

}  // namespace stem
