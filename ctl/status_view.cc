// SPDX-License-Identifier: Apache-2.0
#include "ctl/status_view.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "ctl/quantities.h"
#include "ctl/table.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace stem::ctl {
namespace {

constexpr size_t kBarColumns = 20;
constexpr double kGettingFull = 0.8;
constexpr double kNearlyFull = 0.95;

double Share(const v1::TableUse& table) {
  if (table.limit() == 0) return 0;
  return static_cast<double>(table.used()) / static_cast<double>(table.limit());
}

// Filled to an eighth of a column; what is not empty does not look empty.
std::string Bar(double share, const Screen& screen) {
  static constexpr std::string_view kParts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto wanted =
      static_cast<size_t>(std::ceil(std::clamp(share, 0.0, 1.0) * kBarColumns * std::size(kParts)));
  std::string bar;
  for (size_t i = 0; i < wanted / std::size(kParts); ++i) bar += screen.Pick("█", "#");
  bar += screen.Pick(kParts[wanted % std::size(kParts)], "");
  for (size_t i = Columns(bar); i < kBarColumns; ++i) bar += screen.Pick("░", ".");
  return bar;
}

std::string Percent(double share) {
  return share > 0 && share < 0.005 ? "<1 %" : fmt::format("{:.0f} %", share * 100);
}

// Pairs of a name and what it is, the names in a column of their own.
std::string Facts(const std::vector<std::pair<std::string, std::string>>& facts,
                  const Screen& screen) {
  size_t widest = 0;
  for (const auto& fact : facts) widest = std::max(widest, Columns(fact.first));
  std::string out;
  for (const auto& [name, value] : facts) {
    out += fmt::format("  {}  {}\n",
                       screen.Painted(Paint::kDim, Padded(name, widest, Align::kLeft)), value);
  }
  return out;
}

std::string InterfaceTable(const v1::AgentStatus& status, const Screen& screen) {
  Table table({{"INTERFACE"}, {"SIDE"}, {"XDP MODE"}, {"QUEUES", Align::kRight}, {"ATTACHED"}});
  for (const v1::Interface& interface : status.interfaces()) {
    const bool native = interface.xdp_mode() == "native";
    table.AddRow({{screen.Safe(interface.name())},
                  {std::string(SideText(interface.side()))},
                  {screen.Safe(interface.xdp_mode()), native ? Paint::kPlain : Paint::kYellow},
                  {Counted(interface.queues())},
                  {interface.dispatcher() ? "in libxdp's dispatcher" : "alone"}});
  }
  return table.empty() ? std::string() : "\n" + table.Render(screen);
}

std::string TablesTable(const v1::AgentStatus& status, const Screen& screen) {
  // What is in the kernel tells its memory.
  const auto& uses = status.tables();
  const bool memory = std::any_of(uses.begin(), uses.end(),
                                  [](const v1::TableUse& use) { return use.memory_kib() > 0; });
  std::vector<Column> columns = {{"TABLE"},
                                 {"IN USE"},
                                 {"", Align::kRight},
                                 {"USED", Align::kRight},
                                 {"LIMIT", Align::kRight},
                                 {"HIGH WATER", Align::kRight},
                                 {"REFUSED", Align::kRight}};
  if (memory) columns.push_back({"KIB", Align::kRight});
  Table table(std::move(columns));
  for (const v1::TableUse& use : status.tables()) {
    const double share = Share(use);
    const Paint paint = use.forgets_oldest()    ? Paint::kPlain
                        : share >= kNearlyFull  ? Paint::kRed
                        : share >= kGettingFull ? Paint::kYellow
                                                : Paint::kGreen;
    std::vector<Cell> row = {
        {screen.Safe(use.name())},
        {Bar(share, screen), paint},
        {Percent(share), paint},
        {Counted(use.used())},
        {Counted(use.limit())},
        {Counted(use.high_water())},
        {Counted(use.refused()), use.refused() > 0 ? Paint::kRed : Paint::kPlain}};
    if (memory) row.push_back({use.memory_kib() == 0 ? "-" : Counted(use.memory_kib())});
    table.AddRow(std::move(row));
  }
  return table.empty() ? std::string() : "\n" + table.Render(screen);
}

std::string ModulesLine(const v1::AgentStatus& status, const Screen& screen) {
  std::string out;
  for (const v1::Module& module : status.modules()) {
    const Paint paint = module.mode() == "on"        ? Paint::kGreen
                        : module.mode() == "observe" ? Paint::kYellow
                                                     : Paint::kRed;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", screen.Safe(module.name()),
                       screen.Painted(paint, screen.Safe(module.mode())));
  }
  return out;
}

std::string DelayTable(const v1::AgentStatus& status, const Screen& screen) {
  Table table({{"DELAY ADDED"},
               {"MESSAGES", Align::kRight},
               {"P50", Align::kRight},
               {"P99", Align::kRight},
               {"MAX", Align::kRight}});
  for (const v1::Delay& delay : status.delays()) {
    const auto text = [&](double us) {
      return delay.count() == 0 ? std::string("-") : Microseconds(us, screen);
    };
    table.AddRow({{screen.Safe(delay.name())},
                  {Counted(delay.count())},
                  {text(delay.p50_us())},
                  {text(delay.p99_us())},
                  {text(delay.max_us())}});
  }
  return table.empty() ? std::string() : "\n" + table.Render(screen);
}

// Which policy is in force where, and what is not.
std::string WatchingTable(const v1::SmStatus& status, const Screen& screen) {
  Table table({{"FIREWALL"}, {"INSTANCE"}, {"POLICY"}, {"REFUSED"}});
  std::string below;
  for (const v1::WatchingFirewall& one : status.watching()) {
    table.AddRow({{screen.Safe(one.identity())},
                  {screen.Safe(one.instance())},
                  {one.acknowledged().empty() ? "none yet" : screen.Safe(one.acknowledged())},
                  {one.refused().empty() ? "-" : screen.Safe(one.refused()), Paint::kRed}});
    if (!one.refusal().empty()) {
      below += fmt::format("  ! {} refused policy {}: {}\n", screen.Safe(one.identity()),
                           screen.Safe(one.refused()), screen.Safe(one.refusal()));
    }
    for (const std::string& what : one.not_followed()) {
      below += fmt::format("  ! {} does not follow {}\n", screen.Safe(one.identity()),
                           screen.Safe(what));
    }
  }
  return table.empty() ? std::string() : "\n" + table.Render(screen) + below;
}

}  // namespace

std::vector<std::string> Concerns(const v1::AgentStatus& status) {
  std::vector<std::string> concerns;
  if (!status.sm_connected()) {
    concerns.push_back(fmt::format("the security manager {} is not connected; new calls: {}",
                                   status.sm_address(),
                                   status.sm_down().empty() ? "unknown" : status.sm_down()));
  }
  if (status.interfaces().empty()) concerns.emplace_back("no interface is attached");
  for (const v1::Interface& interface : status.interfaces()) {
    if (interface.xdp_mode() != "native") {
      concerns.push_back(fmt::format("{} runs in {} XDP mode, which is slow", interface.name(),
                                     interface.xdp_mode()));
    }
  }
  if (!status.thresholds_not_loaded().empty()) {
    concerns.push_back(fmt::format("thresholds are not as instructed, trying again: {}",
                                   status.thresholds_not_loaded()));
  }
  for (const v1::NotFollowed& one : status.instructions_not_followed()) {
    concerns.push_back(
        fmt::format("instruction {} ({}) is not followed: {}", one.id(), one.what(), one.why()));
  }
  if (status.instructions_not_followed_untold() > 0) {
    concerns.push_back(fmt::format("and {} more instructions are not followed",
                                   Counted(status.instructions_not_followed_untold())));
  }
  for (const v1::TableUse& use : status.tables()) {
    if (!use.forgets_oldest() && Share(use) >= kGettingFull) {
      concerns.push_back(fmt::format("table {} is {:.0f} % full ({} of {})", use.name(),
                                     Share(use) * 100, Counted(use.used()), Counted(use.limit())));
    }
    if (use.refused() > 0) {
      concerns.push_back(fmt::format("table {} was full {} {}", use.name(), Counted(use.refused()),
                                     use.refused() == 1 ? "time" : "times"));
    }
  }
  return concerns;
}

std::string RenderAgentStatus(const v1::AgentStatus& status, const Viewpoint& view) {
  const Screen& screen = view.screen;
  const std::vector<std::string> concerns = Concerns(status);
  const std::string_view dot = screen.Pick("●", "*");
  const Paint mood = !status.sm_connected() || status.interfaces().empty() ? Paint::kRed
                     : concerns.empty()                                    ? Paint::kGreen
                                                                           : Paint::kYellow;
  std::string out = fmt::format(
      "{} {}  {}\n", screen.Painted(mood, dot),
      screen.Painted(Paint::kBold, fmt::format("stem-agent {}", screen.Safe(status.name()))),
      concerns.empty() ? "all is well" : fmt::format("{} to look at", concerns.size()));
  for (const std::string& concern : concerns) {
    out += screen.Painted(mood, fmt::format("  ! {}", screen.Safe(concern))) + '\n';
  }
  const std::string connection =
      status.sm_connected()
          ? screen.Painted(Paint::kGreen, "connected")
          : screen.Painted(Paint::kRed, fmt::format("not connected (sm_down: {})",
                                                    screen.Safe(status.sm_down())));
  const std::string policy =
      status.policy_version().empty() ? "none yet" : screen.Safe(status.policy_version());
  std::vector<std::pair<std::string, std::string>> facts = {
      {"up", fmt::format("{}, process {}, version {}",
                         Lasting(view.now_unix_ms - status.started_unix_ms()), status.pid(),
                         screen.Safe(status.version()))},
      {"security manager", fmt::format("{}  {}", screen.Safe(status.sm_address()), connection)},
      {"policy version", policy},
      {"adopted calls", Counted(status.adopted_calls())},
      {"pinned in", screen.Safe(status.pin_directory())}};
  if (status.instructions() > 0) {
    facts.emplace_back("instructions",
                       fmt::format("{} followed: see thresholds, block list, permits",
                                   Counted(status.instructions())));
  }
  if (!status.modules().empty()) facts.emplace_back("modules", ModulesLine(status, screen));
  out += Facts(facts, screen);
  out += InterfaceTable(status, screen);
  out += TablesTable(status, screen);
  out += DelayTable(status, screen);
  return out;
}

std::string RenderSmStatus(const v1::SmStatus& status, const Viewpoint& view) {
  const Screen& screen = view.screen;
  std::vector<std::string> firewalls;
  for (const std::string& firewall : status.firewalls()) firewalls.push_back(screen.Safe(firewall));
  const std::string watching = firewalls.empty() ? screen.Painted(Paint::kYellow, "none")
                                                 : fmt::format("{}", fmt::join(firewalls, ", "));
  return fmt::format("{} {}\n",
                     screen.Painted(firewalls.empty() ? Paint::kYellow : Paint::kGreen,
                                    screen.Pick("●", "*")),
                     screen.Painted(Paint::kBold, "stem-sm")) +
         Facts({{"up",
                 fmt::format("{}, version {}", Lasting(view.now_unix_ms - status.started_unix_ms()),
                             screen.Safe(status.version()))},
                {"firewalls watching", watching},
                {"users", Counted(status.users())},
                {"spam entries", Counted(status.spam_entries())},
                {"calls decided", Counted(status.decisions())},
                {"database", screen.Safe(status.database())}},
               screen) +
         WatchingTable(status, screen);
}

}  // namespace stem::ctl
