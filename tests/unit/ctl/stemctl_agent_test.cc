// SPDX-License-Identifier: Apache-2.0
// The real stemctl against a real control socket.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <string>
#include <thread>

#include "ctl/agent_client.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/unit/application_gateway/fake_agent.h"
#include "tests/unit/ctl/program.h"
#include "tests/unit/scratch_folder.h"

namespace stem::ctl {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::StartsWith;

v1::Call SomeCall(const std::string& id) {
  v1::Call call;
  call.set_id(id);
  call.set_caller("sip:alice@example.com");
  call.set_state("established");
  v1::LadderStep* step = call.add_ladder();
  step->set_from(v1::SIDE_OUTSIDE);
  step->set_message("INVITE sip:bob@example.org");
  step->set_verdict("dropped");
  return call;
}

void WaitForListener(FakeAgent& agent) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!agent.gateway->events().listened()) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up) << "nobody subscribed";
    std::this_thread::sleep_for(milliseconds(5));
  }
}

v1::Event SomeEvent(int number) {
  v1::Event event;
  event.set_kind("packet");
  event.set_what(fmt::format("packet {}", number));
  event.set_verdict("dropped");
  return event;
}

TEST(StemctlAgent, EveryQuestionAsTableAndAsJson) {
  FakeAgent agent;
  agent.source.status.set_name("lab");
  *agent.source.calls.add_calls() = SomeCall("3f2a000000000001");
  agent.source.calls.mutable_calls()->Add(SomeCall("3f2a000000000002"));
  agent.source.calls.mutable_calls(1)->set_ended_unix_ms(1);
  agent.source.pinholes.add_pinholes()->set_media("rtp");
  v1::Counter* counter = agent.source.counters.add_counters();
  counter->set_name("no_pinhole");
  counter->set_packets(7);
  agent.source.counters.add_counters()->set_name("fragment");

  const auto table = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--agent", agent.socket});
    const Ended ended = Stemctl(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_EQ(ended.err, "");
    return ended.out;
  };
  const auto json = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-o", "json"});  // global options may follow
    return nlohmann::json::parse(table(arguments));
  };

  EXPECT_THAT(table({"status"}), HasSubstr("stem-agent lab"));
  EXPECT_EQ(json({"status"})["name"], "lab");

  EXPECT_THAT(table({"calls"}), StartsWith("ID                STATE"));
  EXPECT_EQ(json({"calls"})["calls"].size(), 1);
  EXPECT_EQ(json({"calls", "--all"})["calls"].size(), 2);

  EXPECT_THAT(table({"calls", "show", "3f2a000000000001"}),
              HasSubstr("INVITE sip:bob@example.org ────✗│ dropped"));
  EXPECT_THAT(table({"calls", "show", "3f2a000000000001", "--ascii"}),
              HasSubstr("INVITE sip:bob@example.org ----x| dropped"));
  EXPECT_EQ(json({"calls", "show", "3f2a000000000001"})["ladder"].size(), 1);

  EXPECT_THAT(table({"pinholes"}), HasSubstr("rtp"));
  EXPECT_EQ(json({"pinholes"})["pinholes"][0]["media"], "rtp");

  EXPECT_THAT(table({"counters"}), testing::Not(HasSubstr("fragment")));
  EXPECT_THAT(table({"counters", "--all"}), HasSubstr("fragment"));
  EXPECT_EQ(json({"counters"})["counters"].size(), 2);
}

TEST(StemctlAgent, WhatIsNotThereFails) {
  FakeAgent agent;
  *agent.source.calls.add_calls() = SomeCall("3f2a000000000001");
  *agent.source.calls.add_calls() = SomeCall("3f2a000000000002");
  const Ended none = Stemctl({"--agent", agent.socket, "calls", "show", "beef"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_EQ(none.out, "");
  EXPECT_EQ(none.err, "stemctl: no call beef\n");
  EXPECT_EQ(Stemctl({"--agent", agent.socket, "calls", "show", "3f2a"}).exit_code, 1);
}

TEST(StemctlAgent, AnEmptyAgentSaysSo) {
  FakeAgent agent;
  EXPECT_EQ(Stemctl({"--agent", agent.socket, "calls"}).out, "no calls\n");
  EXPECT_EQ(Stemctl({"--agent", agent.socket, "pinholes"}).out, "no pinholes\n");
  EXPECT_EQ(Stemctl({"--agent", agent.socket, "counters"}).out, "nothing counted yet\n");
}

TEST(StemctlAgent, NobodyThere) {
  const ScratchFolder folder;
  const Ended none = Stemctl({"--agent", folder / "agent.sock", "status"});
  EXPECT_EQ(none.exit_code, 3);
  EXPECT_EQ(none.err, fmt::format("stemctl: no agent listens on {}: start stem-agent, or name "
                                  "another with --agent or --name\n",
                                  folder / "agent.sock"));
  // A socket that was left behind.
  const std::string stale = folder / "stale.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  stale.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(fd);
  const Ended dead = Stemctl({"--agent", stale, "status"});
  EXPECT_EQ(dead.exit_code, 3);
  EXPECT_THAT(dead.err, HasSubstr("one that has died left it behind"));
}

TEST(StemctlAgent, ABusyAgentIsGivenUpAfterTheTimeout) {
  FakeAgent agent;
  std::promise<void> released;
  agent.signalling.Post([&] { released.get_future().wait(); });
  const Ended ended = Stemctl({"--agent", agent.socket, "--timeout", "100ms", "status"});
  released.set_value();
  EXPECT_EQ(ended.exit_code, 3);
  EXPECT_THAT(ended.err,
              testing::AnyOf(HasSubstr("did not answer within 100 ms"), HasSubstr("agent busy")));
}

TEST(StemctlAgent, MonitorShowsEventsUntilCtrlC) {
  FakeAgent agent;
  Program monitor({"--agent", agent.socket, "monitor"});
  WaitForListener(agent);
  agent.signalling.Run([&] { agent.gateway->events().Publish(SomeEvent(1)); });
  monitor.AwaitOutput("packet 1");  // shown at once, not when a buffer is full
  monitor.Signal(SIGINT);
  const Ended ended = monitor.Wait();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(ended.err, "");
}

TEST(StemctlAgent, MonitorInJsonIsOneObjectPerLine) {
  FakeAgent agent;
  Program monitor({"--agent", agent.socket, "monitor", "-o", "json", "--count", "3"});
  WaitForListener(agent);
  agent.signalling.Run([&] {
    for (int i = 0; i < 5; ++i) agent.gateway->events().Publish(SomeEvent(i));
  });
  const Ended ended = monitor.Wait();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  std::istringstream lines(ended.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_EQ(nlohmann::json::parse(line)["what"], fmt::format("packet {}", count));
  }
  EXPECT_EQ(count, 3);
}

TEST(StemctlAgent, MonitorEndsWhenTheAgentDoes) {
  FakeAgent agent;
  Program monitor({"--agent", agent.socket, "monitor"});
  WaitForListener(agent);
  agent.gateway->Stop();
  const Ended ended = monitor.Wait();
  EXPECT_EQ(ended.exit_code, 3);
  EXPECT_EQ(ended.err, "stemctl: the agent is stopping\n");
}

TEST(StemctlAgent, CountersWatchedAreRates) {
  FakeAgent agent;
  agent.source.counters.add_counters()->set_name("no_pinhole");
  agent.source.before_counters = [](v1::GetCountersResponse* counters) {
    counters->mutable_counters(0)->set_packets(counters->counters(0).packets() + 1000);
  };
  const Ended ended =
      Stemctl({"--agent", agent.socket, "counters", "--watch", "--count", "2", "-o", "json"});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  std::istringstream lines(ended.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const double rate = nlohmann::json::parse(line)["rates"][0]["packets_per_second"];
    // A thousand in a second; a loaded machine makes the second longer, never shorter.
    EXPECT_GT(rate, 10);
    EXPECT_LE(rate, 1010);
  }
  EXPECT_EQ(count, 2);
  Program endless({"--agent", agent.socket, "counters", "--watch"});
  endless.AwaitOutput("PACKETS/S");
  endless.Signal(SIGTERM);
  EXPECT_EQ(endless.Wait().exit_code, 0);
}

TEST(StemctlAgent, TheEnvironmentNamesTheAgentAndTheCommandLineOverridesIt) {
  FakeAgent agent;
  agent.source.status.set_name("from-environment");
  EXPECT_EQ(Stemctl({"status"}, {{"STEM_AGENT", agent.socket}}).exit_code, 0);
  const Ended named = Stemctl({"status", "--name", "no-such-lab"}, {{"STEM_AGENT", agent.socket}});
  EXPECT_EQ(named.exit_code, 3);
  EXPECT_THAT(named.err, HasSubstr("/run/stem/no-such-lab/agent.sock"));
}

TEST(StemctlAgent, ColoursAndCharactersFollowTheScreen) {
  FakeAgent agent;
  *agent.source.calls.add_calls() = SomeCall("3f2a000000000001");
  const std::vector<std::string> show = {"--agent", agent.socket, "calls", "show", "3f2a"};
  const auto with = [&](const std::vector<std::string>& more,
                        const std::map<std::string, std::string>& environment = {}) {
    std::vector<std::string> arguments = show;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Stemctl(arguments, environment).out;
  };
  EXPECT_THAT(with({}), testing::Not(HasSubstr("\x1b[")));
  EXPECT_THAT(with({"--color", "always"}), HasSubstr("\x1b[31m"));
  EXPECT_THAT(with({}, {{"LC_ALL", "C"}}), HasSubstr("--x| dropped"));
  EXPECT_THAT(with({}, {{"COLUMNS", "60"}}), HasSubstr("INVITE sip:bo… ──✗│"));
}

TEST(StemctlUsage, WrongLinesEndWithTwo) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"frobnicate"},
      {"status", "--frobnicate"},
      {"-o", "xml", "status"},
      {"--timeout", "0", "status"},
      {"--timeout", "soon", "status"},
      {"calls", "show"},
      {"counters", "--count", "3"},
      {"monitor", "--count", "0"},
      {"user"},
      {"user", "add", "bob"},
      {"user", "add", "bob", "--uri", "sip:bob@x", "--incoming", "maybe"},
      {"user", "add", "bob", "--uri", "sip:bob@x", "--incoming", "forward"},
      {"user", "add", "bob", "--uri", "sip:bob@x", "--forward-to", "sip:a@x"},
      {"user", "add", "bob", "--uri", "sip:bob@x", "--status", "486"},
      {"user", "add", "bob", "--uri", "sip:bob@x", "--incoming", "refuse", "--status", "200"},
      {"user", "set", "bob"},
      {"user", "list"},  // no security manager named
      {"--sm", "127.0.0.1:1", "user", "list"},
      {"spam", "add"},
      {"spam", "add", "--uri", "sip:a@x", "--domain", "x"},
      {"spam", "remove", "seven"},
      {"pki", "init"},
      {"pki", "init", "--dir", "/nowhere"},
      {"pki", "init", "--dir", "/nowhere", "--sm-name", "sm1"},
      {"pki", "init", "--dir", "/nowhere", "--firewall", "fw1", "--days", "0"},
  };
  for (const std::vector<std::string>& arguments : wrong) {
    const Ended ended = Stemctl(arguments);
    EXPECT_EQ(ended.exit_code, 2) << testing::PrintToString(arguments) << ended.out;
    EXPECT_THAT(ended.err, StartsWith("stemctl: ")) << testing::PrintToString(arguments);
    EXPECT_EQ(ended.out, "") << testing::PrintToString(arguments);
  }
  EXPECT_FALSE(std::filesystem::exists("/nowhere"));
}

TEST(StemctlUsage, HelpAndVersionGoToStandardOutput) {
  const Ended help = Stemctl({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("monitor"));
  EXPECT_THAT(help.out, HasSubstr("Exit codes: 0 ok"));
  const Ended version = Stemctl({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out, testing::MatchesRegex("stemctl [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  EXPECT_EQ(Stemctl({"user", "add", "--help"}).exit_code, 0);
}

TEST(StemctlUsage, OutputThatCannotBeWrittenIsAFailure) {
  FakeAgent agent;
  const int result = std::system(
      fmt::format("{} --agent {} status >/dev/full 2>/dev/null", STEMCTL_PATH, agent.socket)
          .c_str());
  EXPECT_EQ(WEXITSTATUS(result), 1);
}

TEST(AgentSocket, IsFoundWhereThereIsOnlyOne) {
  const ScratchFolder folder;
  const auto add = [&](const std::string& name) {
    std::filesystem::create_directory(folder / name);
    const std::string path = folder / (name + "/agent.sock");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    close(fd);
  };
  const std::string where = folder.path();
  EXPECT_EQ(*AgentSocket({}, where), folder / "stem/agent.sock");
  EXPECT_EQ(*AgentSocket({}, folder / "missing"), folder / "missing/stem/agent.sock");
  std::filesystem::create_directory(folder / "no-socket");
  std::ofstream(folder / "no-socket/agent.sock") << "a file";
  add("lab");
  EXPECT_EQ(*AgentSocket({}, where), folder / "lab/agent.sock");
  add("other");
  const auto several = AgentSocket({}, where);
  EXPECT_EQ(several.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(several.status().message()),
              HasSubstr("several agents run here: lab, other; say which with --name"));
  EXPECT_EQ(*AgentSocket({.path = {}, .name = "other"}, where), folder / "other/agent.sock");
  EXPECT_EQ(*AgentSocket({.path = "/x", .name = "other"}, where), "/x");
  add("stem");
  EXPECT_EQ(*AgentSocket({}, where), folder / "stem/agent.sock");
}

}  // namespace
}  // namespace stem::ctl
