// SPDX-License-Identifier: Apache-2.0
// The real stemctl changes and asks the data plane behind a real control socket.
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/unit/application_gateway/fake_agent.h"
#include "tests/unit/ctl/program.h"

namespace stem::ctl {
namespace {

using testing::HasSubstr;

class StemctlDataPlane : public testing::Test {
 protected:
  Ended Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--agent", agent_.socket});
    return Stemctl(arguments);
  }
  nlohmann::json Json(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-o", "json"});
    const Ended ended = Run(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return nlohmann::json::parse(ended.out);
  }

  FakeAgent agent_;
};

TEST_F(StemctlDataPlane, Modules) {
  v1::Module* module = agent_.data_plane.modules.add_modules();
  module->set_name("relay");
  module->set_mode("on");
  module->set_configured("on");
  EXPECT_THAT(Run({"module", "list"}).out, HasSubstr("relay"));
  EXPECT_EQ(Json({"module", "set", "relay", "observe"})["modules"][0]["mode"], "observe");
  EXPECT_THAT(Run({"module", "list"}).out, HasSubstr("next start"));
  EXPECT_EQ(Run({"module", "set", "nonsense", "on"}).exit_code, 1);
  EXPECT_EQ(Run({"module", "set", "relay", "maybe"}).exit_code, 2);
  EXPECT_EQ(Run({"module", "set", "relay"}).exit_code, 2);
  EXPECT_EQ(Run({"module"}).exit_code, 2);
}

TEST_F(StemctlDataPlane, Blocks) {
  EXPECT_EQ(Run({"block", "list"}).out, "nothing is blocked\n");
  const auto added = Json({"block", "add", "203.0.113.9", "--to", "198.51.100.20", "--scope",
                           "syn,media", "--for", "10m"});
  EXPECT_EQ(added["source"], "203.0.113.9");
  EXPECT_EQ(added["destination"], "198.51.100.20");
  EXPECT_EQ(added["scopes"], nlohmann::json({"syn", "media"}));
  EXPECT_EQ(added["left_ms"], "600000");
  EXPECT_EQ(Json({"block", "list"})["blocks"].size(), 1u);
  EXPECT_EQ(Run({"block", "remove", "203.0.113.9", "--to", "198.51.100.20"}).exit_code, 0);
  EXPECT_EQ(Run({"block", "remove", "203.0.113.10"}).exit_code, 1);
  EXPECT_EQ(Run({"block", "add", "203.0.113.9", "--scope", "nonsense"}).exit_code, 2);
  EXPECT_EQ(Run({"block", "add", "203.0.113.9", "--for", "10 fortnights"}).exit_code, 2);
  EXPECT_EQ(Run({"block", "add", "203.0.113.9", "--for", "0s"}).exit_code, 2);
}

TEST_F(StemctlDataPlane, WhatIsInForce) {
  v1::ThresholdInForce* threshold = agent_.data_plane.thresholds.add_thresholds();
  threshold->set_name("syn_guard.source");
  threshold->mutable_limit()->set_rate(5);
  threshold->set_instruction(7);
  EXPECT_THAT(Run({"thresholds"}).out, HasSubstr("security manager #7"));
  EXPECT_EQ(Json({"thresholds"})["thresholds"][0]["limit"]["rate"], 5);
  EXPECT_THAT(Run({"permits"}).out, HasSubstr("nothing is permitted"));
  agent_.data_plane.permits.add_permits()->set_source("198.51.100.20");
  EXPECT_EQ(Json({"permits"})["permits"][0]["source"], "198.51.100.20");
  EXPECT_EQ(Run({"permits", "more"}).exit_code, 2);
}

TEST_F(StemctlDataPlane, Simulate) {
  agent_.data_plane.simulation.set_verdict("dropped");
  agent_.data_plane.simulation.set_reason("no_pinhole");
  const auto answer = Json({"simulate", "--from", "inside", "--queue", "3", "udp",
                            "198.51.100.20:30000", "192.0.2.10:4000", "--payload-hex", "0aFF"});
  EXPECT_EQ(answer["simulations"][0]["reason"], "no_pinhole");
  EXPECT_EQ(answer["simulations"][0]["packet"],
            "udp 198.51.100.20:30000 > 192.0.2.10:4000, 44 bytes");
  ASSERT_EQ(agent_.data_plane.simulated.size(), 1u);
  EXPECT_EQ(agent_.data_plane.simulated[0].from(), v1::SIDE_INSIDE);
  EXPECT_EQ(agent_.data_plane.simulated[0].queue(), 3u);
  EXPECT_EQ(agent_.data_plane.simulated[0].frame().substr(42), "\x0a\xff");
  EXPECT_EQ(Run({"simulate", "--from", "outside"}).exit_code, 2);
  EXPECT_EQ(Run({"simulate", "udp", "192.0.2.1:1", "192.0.2.2:2"}).exit_code, 2);
  EXPECT_EQ(Run({"simulate", "--from", "outside", "udp", "192.0.2.1:1", "192.0.2.2:2",
                 "--payload-hex", "0"})
                .exit_code,
            2);
}

// A capture of 1,201 packets is asked about in several questions, and answered in order.
TEST_F(StemctlDataPlane, SimulateACapture) {
  const std::string path = agent_.directory / "c.pcap";
  std::ofstream file(path, std::ios::binary);
  const auto word = [&](uint32_t value) {
    file.write(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  for (const uint32_t value : {0xa1b2c3d4u, 0x00040002u, 0u, 0u, 65535u, 1u}) word(value);
  for (uint32_t i = 0; i < 1201; ++i) {
    for (const uint32_t value : {i, 0u, 16u, i == 7 ? 99u : 16u}) word(value);
    file.write("\1\2\3\4\5\6\1\2\3\4\5\6\x88\xcc", 14).write("xx", 2);
  }
  file.close();
  agent_.data_plane.simulation.set_verdict("dropped");
  agent_.data_plane.simulation.set_reason("not_ip");
  const auto answers = Json({"simulate", "--from", "outside", "--pcap", path})["simulations"];
  ASSERT_EQ(answers.size(), 1201u);
  EXPECT_EQ(answers[0]["packet"], "type 88cc, 16 bytes");
  EXPECT_EQ(answers[7]["packet"], "type 88cc, 16 bytes, cut short");
  EXPECT_EQ(agent_.data_plane.simulated.size(), 1201u);
  EXPECT_THAT(Run({"simulate", "--from", "outside", "--pcap", path}).out,
              HasSubstr("  1,201  dropped  not_ip"));
  EXPECT_EQ(Run({"simulate", "--from", "outside", "--pcap", path + "x"}).exit_code, 1);
  EXPECT_EQ(Run({"simulate", "--from", "outside", "--pcap", path, "icmp", "192.0.2.1", "192.0.2.2"})
                .exit_code,
            2);
}

TEST_F(StemctlDataPlane, Doctor) {
  const std::string path = agent_.directory / "agent.yaml";
  std::ofstream(path) << "name: x\ninterfaces: {outside: nosuch0, inside: lo}\n";
  const Ended ended = Run({"doctor", "--config", path});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.out, HasSubstr("✗ link nosuch0"));
  EXPECT_THAT(ended.out, HasSubstr("✓ link lo"));
  v1::Interface* interface = agent_.source.status.add_interfaces();
  interface->set_name("lo");
  interface->set_xdp_mode("generic");
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("generic mode, which is slow"));
  std::ofstream(path) << "name: x\n";
  EXPECT_EQ(Run({"doctor", "--config", path}).exit_code, 1);
}

}  // namespace
}  // namespace stem::ctl
