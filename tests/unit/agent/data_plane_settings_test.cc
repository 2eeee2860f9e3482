// SPDX-License-Identifier: Apache-2.0
#include "agent/data_plane_settings.h"

#include <gmock/gmock.h>

#include "common/config/document.h"

namespace stem {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

struct Reading {
  DataPlaneConfig config;
  std::string complaint;  // empty: all is well
};

Reading Read(const std::string& yaml) {
  Reading reading;
  absl::StatusOr<ConfigDocument> document = ConfigDocument::Parse(yaml, "agent.yaml");
  if (!document.ok()) {
    reading.complaint = std::string(document.status().message());
    return reading;
  }
  ReadDataPlaneSettings(document->root(), reading.config);
  reading.complaint = std::string(document->Finish().message());
  return reading;
}

void ExpectSame(const DataPlaneConfig& a, const DataPlaneConfig& b) {
  EXPECT_EQ(a.modules, b.modules);
  EXPECT_EQ(a.syn_guard, b.syn_guard);
  EXPECT_EQ(a.invite_guard, b.invite_guard);
  EXPECT_EQ(a.fragments, b.fragments);
  EXPECT_EQ(a.ssrc_relatch, b.ssrc_relatch);
  EXPECT_EQ(a.max_blocks, b.max_blocks);
  EXPECT_EQ(a.max_syn_sources, b.max_syn_sources);
  EXPECT_EQ(a.max_verified_sources, b.max_verified_sources);
  EXPECT_EQ(a.max_sip_sources, b.max_sip_sources);
  EXPECT_EQ(a.max_permits, b.max_permits);
  EXPECT_EQ(a.max_fragments, b.max_fragments);
}

TEST(DataPlaneSettings, TheCommentedExampleSaysTheDefaults) {
  absl::StatusOr<ConfigDocument> example =
      ConfigDocument::Load(STEM_SOURCE_DIR "/etc/agent.example.yaml");
  ASSERT_TRUE(example.ok()) << example.status();
  DataPlaneConfig config;
  ReadDataPlaneSettings(example->root(), config);
  ExpectSame(config, DataPlaneConfig{});
  for (const char* section : {"modules", "syn_guard", "invite_guard", "fragments"}) {
    EXPECT_TRUE(example->root().Section(section).present()) << section;
  }
}

TEST(DataPlaneSettings, EverythingMayBeLeftOut) {
  const Reading nothing = Read("{}");
  EXPECT_EQ(nothing.complaint, "");
  ExpectSame(nothing.config, DataPlaneConfig{});
}

TEST(DataPlaneSettings, EverythingCanBeSaid) {
  const Reading all = Read(R"(
modules: {pattern_matcher: observe, syn_guard: off, policing: on}
syn_guard:
  source: {rate: 0.5, burst: 2, penalty: 1m}
  new_sources: {rate: 0}
  destination: {burst: 7}
  challenge: true
  verified: 5m
  permits: true
invite_guard:
  invite: {rate: 1, burst: 1, penalty: 1s}
  register: {rate: 2}
  answered: 3
fragments: {policy: pass, early: {rate: 5, burst: 6}}
media: {ssrc_relatch: 20ms}
limits: {blocks: 1, syn_sources: 64, verified_sources: 65, sip_sources: 66, permits: 2, fragments: 67}
)");
  ASSERT_EQ(all.complaint, "");
  const DataPlaneConfig& config = all.config;
  EXPECT_EQ(config.modules[STEM_MODULE_core], STEM_MODULE_ON);
  EXPECT_EQ(config.modules[STEM_MODULE_pattern_matcher], STEM_MODULE_OBSERVE);
  EXPECT_EQ(config.modules[STEM_MODULE_syn_guard], STEM_MODULE_OFF);
  EXPECT_EQ(config.modules[STEM_MODULE_policing], STEM_MODULE_ON);
  EXPECT_EQ(config.modules[STEM_MODULE_relay], STEM_MODULE_ON);
  EXPECT_EQ(config.syn_guard.source, (GuardLimit{0.5, 2, minutes(1)}));
  EXPECT_EQ(config.syn_guard.new_sources, (GuardLimit{0, 1000}));
  EXPECT_EQ(config.syn_guard.destination, (GuardLimit{2000, 7}));
  EXPECT_TRUE(config.syn_guard.challenge);
  EXPECT_EQ(config.syn_guard.verified, minutes(5));
  EXPECT_TRUE(config.syn_guard.permits);
  EXPECT_EQ(config.invite_guard.invite, (GuardLimit{1, 1, seconds(1)}));
  EXPECT_EQ(config.invite_guard.registers, (GuardLimit{2, 100, seconds(5)}));
  EXPECT_EQ(config.invite_guard.answered, 3u);
  EXPECT_TRUE(config.fragments.pass);
  EXPECT_EQ(config.fragments.early, (GuardLimit{5, 6}));
  EXPECT_EQ(config.ssrc_relatch, milliseconds(20));
  EXPECT_EQ(config.max_blocks, 1u);
  EXPECT_EQ(config.max_syn_sources, 64u);
  EXPECT_EQ(config.max_verified_sources, 65u);
  EXPECT_EQ(config.max_sip_sources, 66u);
  EXPECT_EQ(config.max_permits, 2u);
  EXPECT_EQ(config.max_fragments, 67u);
}

TEST(DataPlaneSettings, WhatIsWrongIsNamedAtItsPlace) {
  EXPECT_THAT(Read("modules: {relay: maybe}").complaint,
              HasSubstr("agent.yaml:1:18: modules.relay: 'maybe' is not a choice; write one of on, "
                        "observe, off"));
  EXPECT_THAT(Read("modules: {core: off}").complaint, HasSubstr("agent.yaml:1:11: modules.core"));
  EXPECT_THAT(Read("syn_guard:\n  source: {rate: -1}").complaint,
              HasSubstr("agent.yaml:2:18: syn_guard.source.rate"));
  EXPECT_THAT(Read("syn_guard: {source: {rate: 0.0001}}").complaint,
              HasSubstr("syn_guard.source.rate: is slower than one in 1000 seconds"));
  EXPECT_THAT(Read("syn_guard: {source: {burst: 0}}").complaint,
              HasSubstr("syn_guard.source.burst"));
  EXPECT_THAT(Read("syn_guard: {new_sources: {penalty: 1s}}").complaint,
              HasSubstr("syn_guard.new_sources.penalty"))
      << "there is none";
  EXPECT_THAT(Read("syn_guard: {challenge: yes}").complaint, HasSubstr("syn_guard.challenge"));
  EXPECT_THAT(Read("syn_guard: {verified: 0s}").complaint, HasSubstr("syn_guard.verified"));
  EXPECT_THAT(Read("invite_guard: {invite: {penalty: 5}}").complaint,
              HasSubstr("invite_guard.invite.penalty"));
  EXPECT_THAT(Read("invite_guard: {answered: -1}").complaint, HasSubstr("invite_guard.answered"));
  EXPECT_THAT(Read("fragments: {policy: allow}").complaint, HasSubstr("fragments.policy"));
  EXPECT_THAT(Read("media: {ssrc_relatch: 2h}").complaint, HasSubstr("media.ssrc_relatch"));
  EXPECT_THAT(
      Read("limits: {blocks: 0, sip_sources: 1}").complaint,
      testing::AllOf(HasSubstr("agent.yaml:1:18: limits.blocks"), HasSubstr("limits.sip_sources")));
}

}  // namespace
}  // namespace stem
