// SPDX-License-Identifier: Apache-2.0
#include "agent/data_plane_settings.h"

#include <chrono>

namespace stem {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr int64_t kMillion = 1'000'000;

// The kernel counts in nanoseconds: the slowest rate with the largest burst still fits 63 bits.
constexpr double kSlowest = 0.001;
constexpr double kFastest = 10e6;

void ReadRate(const ConfigSection& section, GuardLimit& limit) {
  section.Optional("rate", limit.rate, Number{0, kFastest});
  if (limit.rate > 0 && limit.rate < kSlowest) {
    section.At("rate").Error("is slower than one in 1000 seconds",
                             "0 for no limit, or at least 0.001");
  }
  section.Optional("burst", limit.burst, Integer{1, kMillion});
}

void ReadLimit(const ConfigSection& section, GuardLimit& limit) {
  ReadRate(section, limit);
  section.Optional("penalty", limit.penalty, Duration{nanoseconds(0), hours(24)});
}

void ReadModules(const ConfigSection& section, ModuleModes& modes) {
  const Choice<stem_module_mode> mode{
      {{"on", STEM_MODULE_ON}, {"observe", STEM_MODULE_OBSERVE}, {"off", STEM_MODULE_OFF}}};
#define STEM_READ_MODULE(name, meaning) section.Optional(#name, modes[STEM_MODULE_##name], mode);
  STEM_MODULES(STEM_READ_MODULE)
#undef STEM_READ_MODULE
}

void ReadSynGuard(const ConfigSection& section, SynGuardConfig& config) {
  ReadLimit(section.Section("source"), config.source);
  ReadRate(section.Section("new_sources"), config.new_sources);
  ReadRate(section.Section("destination"), config.destination);
  section.Optional("challenge", config.challenge);
  section.Optional("verified", config.verified, Duration{seconds(1), hours(24)});
  section.Optional("permits", config.permits);
}

void ReadInviteGuard(const ConfigSection& section, InviteGuardConfig& config) {
  ReadLimit(section.Section("invite"), config.invite);
  ReadLimit(section.Section("register"), config.registers);
  ReadLimit(section.Section("other"), config.other);
  ReadLimit(section.Section("response"), config.response);
  ReadRate(section.Section("new_sources"), config.new_sources);
  section.Optional("answered", config.answered, Integer{0, kMillion});
}

void ReadFragments(const ConfigSection& section, FragmentsConfig& config) {
  section.Optional("policy", config.pass, Choice<bool>{{{"drop", false}, {"pass", true}}});
  ReadRate(section.Section("early"), config.early);
}

void ReadTableSizes(const ConfigSection& section, DataPlaneConfig& config) {
  const Integer few{1, kMillion};
  const Integer many{64, 16 * kMillion};
  section.Optional("blocks", config.max_blocks, few);
  section.Optional("syn_sources", config.max_syn_sources, many);
  section.Optional("verified_sources", config.max_verified_sources, many);
  section.Optional("sip_sources", config.max_sip_sources, many);
  section.Optional("permits", config.max_permits, few);
  section.Optional("fragments", config.max_fragments, many);
}

}  // namespace

void ReadDataPlaneSettings(const ConfigSection& root, DataPlaneConfig& config) {
  ReadModules(root.Section("modules"), config.modules);
  ReadSynGuard(root.Section("syn_guard"), config.syn_guard);
  ReadInviteGuard(root.Section("invite_guard"), config.invite_guard);
  ReadFragments(root.Section("fragments"), config.fragments);
  root.Section("media").Optional("ssrc_relatch", config.ssrc_relatch,
                                 Duration{nanoseconds(0), hours(1)});
  ReadTableSizes(root.Section("limits"), config);
}

}  // namespace stem
