// SPDX-License-Identifier: Apache-2.0
#include "agent/config.h"

#include <gmock/gmock.h>
#include <netinet/in.h>

#include <fstream>

#include "tests/unit/scratch_folder.h"

namespace stem {
namespace {

using testing::HasSubstr;

constexpr char kMinimal[] = R"(name: fw1
interfaces: {outside: eth0, inside: eth1}
security_manager:
  address: 198.51.100.5:7443
  tls: {certificate: a, key: b, ca: c}
)";

class AgentConfigTest : public testing::Test {
 protected:
  absl::StatusOr<AgentConfig> Load(const std::string& text) {
    const std::string path = scratch_ / "agent.yaml";
    std::ofstream(path) << text;
    return LoadAgentConfig(path);
  }
  // The whole complaint about the minimal configuration with `more` added.
  std::string Complaint(const std::string& more) {
    const absl::StatusOr<AgentConfig> config = Load(kMinimal + more);
    EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument) << more;
    return std::string(config.status().message());
  }

 private:
  ScratchFolder scratch_;
};

TEST_F(AgentConfigTest, TheCommentedExampleLoadsAndSaysTheDefaults) {
  const absl::StatusOr<AgentConfig> example =
      LoadAgentConfig(STEM_SOURCE_DIR "/etc/agent.example.yaml");
  ASSERT_TRUE(example.ok()) << example.status();
  const absl::StatusOr<AgentConfig> minimal = Load(kMinimal);
  ASSERT_TRUE(minimal.ok()) << minimal.status();

  EXPECT_EQ(example->data_plane.sip_ports, minimal->data_plane.sip_ports);
  EXPECT_EQ(example->data_plane.mode, minimal->data_plane.mode);
  EXPECT_EQ(example->data_plane.agent_down_pass, minimal->data_plane.agent_down_pass);
  EXPECT_EQ(example->data_plane.default_pass, minimal->data_plane.default_pass);
  EXPECT_EQ(example->data_plane.max_calls, minimal->data_plane.max_calls);
  EXPECT_EQ(example->data_plane.max_pinholes, minimal->data_plane.max_pinholes);
  EXPECT_EQ(example->data_plane.events_per_second, minimal->data_plane.events_per_second);
  EXPECT_EQ(example->frames_per_queue, minimal->frames_per_queue);
  EXPECT_EQ(example->tun, minimal->tun);
  EXPECT_EQ(example->posted_closures, minimal->posted_closures);
  EXPECT_EQ(example->control_socket, minimal->control_socket);
  EXPECT_EQ(example->on_exit, minimal->on_exit);
  EXPECT_EQ(example->log_level, minimal->log_level);
  EXPECT_EQ(example->security_manager.deadline, minimal->security_manager.deadline);
  EXPECT_EQ(example->security_manager.down, minimal->security_manager.down);
  EXPECT_EQ(example->security_manager.known_users, minimal->security_manager.known_users);
  EXPECT_EQ(example->security_manager.tls.reload, minimal->security_manager.tls.reload);
  const CallMonitorConfig &a = example->calls, &b = minimal->calls;
  EXPECT_EQ(a.media_peer, b.media_peer);
  EXPECT_EQ(a.lowest_media_port, b.lowest_media_port);
  EXPECT_EQ(a.media, b.media);
  EXPECT_EQ(example->reassembly, minimal->reassembly);
  EXPECT_EQ(a.retry_after_seconds, b.retry_after_seconds);
  EXPECT_EQ(a.timeouts.ring, b.timeouts.ring);
  EXPECT_EQ(a.timeouts.bye, b.timeouts.bye);
  EXPECT_EQ(a.timeouts.max_duration, b.timeouts.max_duration);
  EXPECT_EQ(a.timeouts.idle_media, b.timeouts.idle_media);
  EXPECT_EQ(a.timeouts.takeover, b.timeouts.takeover);
  EXPECT_EQ(a.limits.calls, b.limits.calls);
  EXPECT_EQ(a.limits.dialogs_per_call, b.limits.dialogs_per_call);
  EXPECT_EQ(a.limits.held_messages, b.limits.held_messages);
  EXPECT_EQ(a.limits.held_bytes, b.limits.held_bytes);
  EXPECT_EQ(a.limits.transactions, b.limits.transactions);
  EXPECT_EQ(a.limits.local_answers, b.limits.local_answers);
  EXPECT_EQ(a.limits.ladder_steps, b.limits.ladder_steps);
  EXPECT_EQ(a.limits.ended_calls, b.limits.ended_calls);
}

TEST_F(AgentConfigTest, EveryErrorIsReportedAtItsPlace) {
  const std::string complaint = Complaint("media: {peer: nobody}\nnonsense: 1\n");
  EXPECT_THAT(complaint, HasSubstr("agent.yaml:6:15: media.peer: 'nobody' is not a choice"));
  EXPECT_THAT(complaint, HasSubstr("agent.yaml:7:1: nonsense"));
}

TEST_F(AgentConfigTest, RequiredKeys) {
  const absl::StatusOr<AgentConfig> config = Load("name: fw1\n");
  const std::string complaint(config.status().message());
  for (const char* key : {"interfaces.outside", "interfaces.inside", "security_manager.address",
                          "security_manager.tls.certificate", "security_manager.tls.key",
                          "security_manager.tls.ca"}) {
    EXPECT_THAT(complaint, HasSubstr(key));
  }
}

TEST_F(AgentConfigTest, ImpossibleValues) {
  EXPECT_THAT(Complaint("signalling: {ports: []}\n"), HasSubstr("signalling.ports"));
  EXPECT_THAT(Complaint("signalling: {ports: [5060, 5060]}\n"), HasSubstr("twice"));
  EXPECT_THAT(Complaint("signalling: {ports: [1,2,3,4,5,6,7,8,9]}\n"),
              HasSubstr("signalling.ports"));
  EXPECT_THAT(Complaint("signalling: {frames_per_queue: 100}\n"), HasSubstr("power of two"));
  EXPECT_THAT(Complaint("signalling: {tun: a-name-too-long-for-linux}\n"),
              HasSubstr("signalling.tun"));
  EXPECT_THAT(Complaint("limits: {calls: 0}\n"), HasSubstr("limits.calls"));
  EXPECT_THAT(Complaint("media: {unknown_rate: 4}\n"), HasSubstr("'4' is not a rate"));
  EXPECT_THAT(Complaint("media: {max_rate: 1Mbit/s}\n"), HasSubstr("less than unknown_rate"));
  EXPECT_THAT(Complaint("media: {margin: 0.5}\n"), HasSubstr("media.margin"));
  EXPECT_THAT(Complaint("media: {reaction: shout}\n"), HasSubstr("media.reaction"));
  EXPECT_THAT(Complaint("limits: {reassembly: {timeout: 5m}}\n"),
              HasSubstr("limits.reassembly.timeout"));
  EXPECT_THAT(Complaint("calls: {bye_timeout: 4}\n"), HasSubstr("calls.bye_timeout"));
  const absl::StatusOr<AgentConfig> same =
      Load("name: x\ninterfaces: {outside: eth0, inside: eth0}\n");
  EXPECT_THAT(std::string(same.status().message()), HasSubstr("is the outside interface"));
}

TEST_F(AgentConfigTest, RulesFollowTheSecurityManagersOwn) {
  const absl::StatusOr<AgentConfig> config = Load(std::string(kMinimal) + R"(rules:
  - {name: a, action: deny, from: outside, source: 203.0.113.0/24}
  - {name: b, action: allow, protocol: tcp, destination_ports: 22-23, destination: 192.0.2.1}
)");
  ASSERT_TRUE(config.ok()) << config.status();
  const std::vector<Rule>& rules = config->rules.rules;
  ASSERT_EQ(rules.size(), 3u);
  EXPECT_EQ(rules[0].name, "security-manager");
  EXPECT_EQ(rules[0].action, STEM_RULE_ALLOW);
  EXPECT_EQ(rules[0].from, STEM_SIDE_INSIDE);
  EXPECT_EQ(rules[0].source_ports, (PortRange{7443, 7443}));
  EXPECT_EQ(rules[0].source->ToString(), "198.51.100.5/32");
  EXPECT_EQ(rules[1].action, STEM_RULE_DENY);
  EXPECT_EQ(rules[1].from, STEM_SIDE_OUTSIDE);
  EXPECT_FALSE(rules[1].protocol);
  EXPECT_EQ(rules[1].source->ToString(), "203.0.113.0/24");
  EXPECT_TRUE(rules[1].destination_ports.any());
  EXPECT_THAT(rules[1].place, HasSubstr(".yaml:"));
  EXPECT_EQ(rules[2].from, STEM_SIDE_NONE);
  EXPECT_EQ(rules[2].protocol, IPPROTO_TCP);
  EXPECT_EQ(rules[2].destination_ports, (PortRange{22, 23}));
}

TEST_F(AgentConfigTest, RulesThatCannotBe) {
  EXPECT_THAT(Complaint("rules: [{name: a, action: allow, protocol: tcp, source_ports: 9-8}]\n"),
              HasSubstr("rules[0].source_ports: '9-8' is not a range of ports"));
  EXPECT_THAT(Complaint("rules: [{name: a, action: allow, source_ports: 9}]\n"),
              HasSubstr("ports need a protocol"));
  EXPECT_THAT(Complaint("rules: [{name: a, action: allow}, {name: a, action: deny}]\n"),
              HasSubstr("names another rule"));
  EXPECT_THAT(Complaint("rules: [{name: a, action: allow, source: 192.0.2.1/24}]\n"),
              HasSubstr("rules[0].source"));
  EXPECT_THAT(
      Complaint("rules: [{name: a, action: deny, source: 192.0.2.1, destination: 2001:db8::1}]\n"),
      HasSubstr("another address family"));
  EXPECT_THAT(Complaint("rules: [{name: a, action: deny, protocol: udp, tcp_flags: syn}]\n"),
              HasSubstr("tcp_flags need TCP"));
  EXPECT_THAT(Complaint("rules: [{name: a, action: deny, protocol: tcp, tcp_flags: 'syn,!syn'}]\n"),
              HasSubstr("not a list of TCP flags"));
  EXPECT_THAT(Complaint("rules: [{name: a, action: deny, protocol: udp, icmp_type: 8}]\n"),
              HasSubstr("icmp_type needs ICMP"));
  EXPECT_THAT(Complaint("rules: [{name: a, action: inspect, protocol: udp}]\n"),
              HasSubstr("inspect is for SIP"));
  EXPECT_THAT(Complaint("rules: [{name: security-manager, action: deny}]\n"),
              HasSubstr("names another rule"));
  std::string many = "rules:\n";
  for (int i = 0; i < STEM_MAX_RULES; ++i) {
    many += "  - {name: r" + std::to_string(i) + ", action: deny}\n";
  }
  EXPECT_THAT(Complaint(many), HasSubstr("rules"));
}

}  // namespace
}  // namespace stem
