// SPDX-License-Identifier: Apache-2.0
// What the kernel side is loaded with.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/dataplane/compiled_rules.h"
#include "agent/dataplane/xdp_attachment.h"
#include "bpf/stem_abi.h"

namespace stem {

// `rate` a second on average, `burst` at once; above it, `penalty` during which everything of the
// source is refused. A rate of 0: no limit.
struct GuardLimit {
  double rate = 0;
  uint32_t burst = 0;
  std::chrono::nanoseconds penalty{0};

  bool operator==(const GuardLimit&) const = default;
};

// SYN guard: TCP connection attempts.
struct SynGuardConfig {
  GuardLimit source{20, 40, std::chrono::seconds(10)};
  GuardLimit new_sources{1000, 1000};  // all sources seen for the first time, together
  GuardLimit destination{2000, 2000};  // each address and port inside
  bool challenge = false;              // of what exceeds the last two
  std::chrono::nanoseconds verified = std::chrono::minutes(10);  // how long a met challenge counts
  bool permits = false;  // outbound connections to SIP ports need one

  bool operator==(const SynGuardConfig&) const = default;
};

// INVITE guard: SIP messages of one source.
struct InviteGuardConfig {
  GuardLimit invite{50, 100, std::chrono::seconds(5)};
  GuardLimit registers{50, 100, std::chrono::seconds(5)};
  GuardLimit other{500, 1000, std::chrono::seconds(5)};
  GuardLimit response{1000, 2000, std::chrono::seconds(5)};
  GuardLimit new_sources{1000, 1000};
  uint32_t answered = 0;  // messages of each penalty time that are answered 503

  bool operator==(const InviteGuardConfig&) const = default;
};

struct FragmentsConfig {
  bool pass = false;           // fragments of what a rule allows
  GuardLimit early{100, 100};  // later fragments whose first was not seen yet

  bool operator==(const FragmentsConfig&) const = default;
};

using ModuleModes = std::array<stem_module_mode, STEM_MODULE_MAX>;
constexpr ModuleModes kAllModulesOn = [] {
  ModuleModes modes{};
  modes.fill(STEM_MODULE_ON);
  return modes;
}();

struct DataPlaneConfig {
  std::string name;     // instance: pins lie under /sys/fs/bpf/stem/NAME
  std::string outside;  // interface names
  std::string inside;
  XdpMode mode = XdpMode::kNative;
  std::vector<uint16_t> sip_ports;  // 1 to STEM_MAX_SIP_PORTS
  bool agent_down_pass = false;
  bool default_pass = false;
  uint32_t max_calls = 0;
  uint32_t max_pinholes = 0;
  uint32_t events_per_second = 100;            // per CPU
  std::shared_ptr<const CompiledRules> rules;  // none without
  ModuleModes modules = kAllModulesOn;
  SynGuardConfig syn_guard;
  InviteGuardConfig invite_guard;
  FragmentsConfig fragments;
  std::chrono::nanoseconds ssrc_relatch = std::chrono::milliseconds(100);
  uint32_t max_blocks = 1024;
  uint32_t max_syn_sources = 65536;
  uint32_t max_verified_sources = 65536;
  uint32_t max_sip_sources = 65536;
  uint32_t max_permits = 1024;
  uint32_t max_fragments = 4096;
  // Names of rules that keep their counters; fewer than a set's rules is an error when it is
  // loaded.
  uint32_t max_rule_slots = STEM_RULE_SLOTS;
};

}  // namespace stem
