// SPDX-License-Identifier: Apache-2.0
// stemctl counters
#include <chrono>
#include <cstdint>
#include <memory>

#include "ctl/commands/commands.h"
#include "ctl/counter_view.h"
#include "ctl/interrupt.h"

namespace stem::ctl {
namespace {

constexpr std::chrono::seconds kRound{1};

struct CountersOptions {
  bool all = false;
  bool watch = false;
  uint32_t rounds = 0;  // 0: until interrupted

  ZeroRows zeros() const { return all ? ZeroRows::kShown : ZeroRows::kHidden; }
};

absl::StatusOr<v1::GetCountersResponse> Read(AgentClient& agent) {
  return agent.Ask(&AgentClient::Stub::GetCounters, v1::GetCountersRequest());
}

ExitCode ShowCounters(Session& session, const CountersOptions& options) {
  auto agent = session.Agent();
  if (!agent.ok()) return session.Fail(agent.status());
  const auto counters = Read(*agent);
  if (!counters.ok()) return session.Fail(counters.status());
  return session.Show(*counters, [&](const Viewpoint& view) {
    return RenderCounters(*counters, options.zeros(), view);
  });
}

std::string Round(Session& session, const CountersOptions& options,
                  const std::vector<CounterRate>& rates) {
  const Viewpoint view = session.View();
  if (session.json()) return RatesJson(rates, view.now_unix_ms);
  // On a terminal each round takes the place of the one before.
  const std::string_view before = view.screen.live ? "\x1b[H\x1b[J" : "";
  return std::string(before) + RenderRates(rates, options.zeros(), view) +
         (view.screen.live ? "" : "\n");
}

ExitCode WatchCounters(Session& session, const CountersOptions& options) {
  auto interrupt = Interrupt::Catch();
  if (!interrupt.ok()) return session.Fail(interrupt.status());
  auto agent = session.Agent();
  if (!agent.ok()) return session.Fail(agent.status());
  auto before = Read(*agent);
  auto read_at = std::chrono::steady_clock::now();
  for (uint32_t round = 0; options.rounds == 0 || round < options.rounds; ++round) {
    if (!before.ok()) return session.Fail(before.status());
    if (interrupt->Within(kRound)) return ExitCode::kOk;
    auto now = Read(*agent);
    if (!now.ok()) return session.Fail(now.status());
    const auto now_at = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now_at - read_at).count();
    const ExitCode printed = session.Print(Round(session, options, Rates(*before, *now, seconds)));
    if (printed != ExitCode::kOk) return printed;
    before = std::move(now);
    read_at = now_at;
  }
  return ExitCode::kOk;
}

}  // namespace

void AddCountersCommand(CLI::App& app, Command* chosen) {
  const auto options = std::make_shared<CountersOptions>();
  CLI::App* counters = app.add_subcommand("counters", "What passed, what was dropped, and why");
  counters->add_flag("-a,--all", options->all, "Those at zero, too");
  CLI::Option* watch =
      counters->add_flag("-w,--watch", options->watch, "Rates, once a second, until Ctrl-C");
  counters->add_option("-c,--count", options->rounds, "With --watch: end after so many rounds")
      ->check(CLI::PositiveNumber)
      ->needs(watch);
  counters->callback([=] {
    *chosen = [options](Session& session) {
      return options->watch ? WatchCounters(session, *options) : ShowCounters(session, *options);
    };
  });
}

}  // namespace stem::ctl
