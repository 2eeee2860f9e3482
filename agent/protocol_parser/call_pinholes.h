// SPDX-License-Identifier: Apache-2.0
// Makes the open pinholes of a call equal to its plan, and settles whose a pinhole is when two
// calls want it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "agent/dataplane/pinhole_table.h"
#include "agent/protocol_parser/call.h"
#include "agent/protocol_parser/call_limits.h"
#include "agent/protocol_parser/media_rules.h"
#include "agent/protocol_parser/sip_reasons.h"

namespace stem {

class CallPinholes {
 public:
  // `rules` may be null.
  CallPinholes(const CallMonitorConfig& config, PinholeTable& table, SipCounters& counters,
               const MediaRules* rules)
      : config_(config), table_(table), counters_(counters), rules_(rules) {}

  // What changed, for the ladder: "2 pinholes opened, 2 narrowed".
  struct Change {
    int opened = 0;
    int changed = 0;
    int closed = 0;
    absl::Status refused;  // first error of the table; RESOURCE_EXHAUSTED: it is full
    std::vector<std::string> notes;

    std::string Text() const;
  };

  // Closes what the call's plan no longer wants or the static rules deny, then opens and changes
  // the rest. A pinhole that cannot be opened is left out and told of in the result; all others are
  // as planned.
  Change Follow(Call& call, uint64_t now_ns);

  // Closes all of them.
  Change CloseAll(Call& call);

  // Counts a pinhole found open at start as the call's own.
  void Adopt(Call& call, const Pinhole& pinhole);

  // Tries again what could not be closed; empty unless the table reported errors.
  void RetryClosing();

 private:
  void Close(Call& call, const PinholeKey& key, Change& change);
  bool Open(Call& call, const PinholeKey& key, const PinholeGrant& grant, uint64_t now_ns,
            Change& change);
  bool MayTake(Call& call, const PinholeKey& key, uint64_t now_ns, Change& change);
  bool Denied(Call& call, const PinholeKey& key, const PinholeGrant& grant, Change& change);
  void Count(CallEvent event) { ++counters_.events[static_cast<size_t>(event)]; }

  const CallMonitorConfig& config_;
  PinholeTable& table_;
  SipCounters& counters_;
  const MediaRules* rules_;
  absl::flat_hash_map<PinholeKey, Call*> owners_;
  std::vector<PinholeKey> unclosed_;
};

}  // namespace stem
