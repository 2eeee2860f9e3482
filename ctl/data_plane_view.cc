// SPDX-License-Identifier: Apache-2.0
#include "ctl/data_plane_view.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "ctl/instruction_view.h"
#include "ctl/quantities.h"
#include "ctl/table.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace stem::ctl {
namespace {

Paint PaintOfVerdict(const std::string& verdict) {
  return verdict == "dropped" ? Paint::kRed : Paint::kGreen;
}

// Where the packet goes, what it is for, and what observing modules had against it.
std::vector<std::string> Remarks(const v1::Simulation& simulation) {
  std::vector<std::string> out;
  const auto add = [&](std::string remark) { out.push_back(std::move(remark)); };
  if (!simulation.out_interface().empty()) {
    add(fmt::format("to {} by {}", simulation.out_interface(), simulation.next_hop()));
  }
  if (simulation.has_pinhole()) {
    const v1::Pinhole& pinhole = simulation.pinhole();
    add(fmt::format("pinhole {} for {} of call {}", AddressText(pinhole.destination()),
                    pinhole.peer(), pinhole.call()));
  }
  for (const v1::Observed& observed : simulation.observed()) {
    add(fmt::format("{} observes: {}", observed.module(), observed.reason()));
  }
  return out;
}

std::string Summary(const v1::SimulateResponse& simulations, const Screen& screen) {
  std::map<std::tuple<std::string, std::string, std::string>, uint64_t> sums;
  uint64_t refused = 0;
  for (const v1::Simulation& one : simulations.simulations()) {
    if (one.error().empty()) {
      ++sums[{one.verdict(), one.reason(), one.module()}];
    } else {
      ++refused;
    }
  }
  Table table({{"PACKETS", Align::kRight}, {"VERDICT"}, {"REASON"}, {"MODULE"}});
  for (const auto& [what, count] : sums) {
    const auto& [verdict, reason, module] = what;
    table.AddRow({{Counted(count)},
                  {screen.Safe(verdict), PaintOfVerdict(verdict)},
                  {screen.Safe(reason)},
                  {screen.Safe(module)}});
  }
  if (refused > 0) table.AddRow({{Counted(refused)}, {"not simulated"}, {""}, {""}});
  return table.Render(screen);
}

}  // namespace

Paint PaintOfMode(const std::string& mode) {
  if (mode == "on") return Paint::kGreen;
  return mode == "observe" ? Paint::kYellow : Paint::kRed;
}

std::string RenderModules(const v1::ListModulesResponse& modules, const Viewpoint& view) {
  const Screen& screen = view.screen;
  Table table({{"MODULE"}, {"MODE"}, {"CONFIGURED"}, {"WHAT IT DOES", Align::kLeft, true}});
  bool differs = false;
  for (const v1::Module& module : modules.modules()) {
    differs = differs || module.mode() != module.configured();
    table.AddRow({{screen.Safe(module.name())},
                  {screen.Safe(module.mode()), PaintOfMode(module.mode())},
                  {screen.Safe(module.configured()), Paint::kDim},
                  {screen.Safe(module.meaning()), Paint::kDim}});
  }
  std::string out = table.Render(screen);
  if (differs) {
    out +=
        "\nThe next start of the agent goes by its configuration file: write `modules:` there to "
        "keep it.\n";
  }
  return out;
}

std::string RenderBlocks(const v1::ListBlocksResponse& blocks, const Viewpoint& view) {
  if (blocks.blocks().empty()) return "nothing is blocked\n";
  const Screen& screen = view.screen;
  Table table({{"SOURCE"},
               {"DESTINATION"},
               {"SCOPE"},
               {"STILL FOR", Align::kRight},
               {"DROPPED", Align::kRight},
               {"ORIGIN"},
               {"COMMENT", Align::kLeft, /*may_shrink=*/true}});
  for (const v1::Block& block : blocks.blocks()) {
    table.AddRow({{screen.Safe(block.source())},
                  {block.destination().empty() ? "any" : screen.Safe(block.destination())},
                  {screen.Safe(fmt::format("{}", fmt::join(block.scopes(), ",")))},
                  {block.left_ms() < 0 ? "until removed" : Lasting(block.left_ms())},
                  {Counted(block.packets()), block.packets() > 0 ? Paint::kRed : Paint::kPlain},
                  {block.instruction() != 0 ? InstructedBy(block.instruction())
                                            : screen.Safe(block.origin())},
                  {screen.Safe(block.comment()), Paint::kDim}});
  }
  return table.Render(screen);
}

std::string RenderSimulations(const v1::SimulateResponse& simulations, const Viewpoint& view) {
  const Screen& screen = view.screen;
  Table table({{"PACKET", Align::kLeft, /*may_shrink=*/true},
               {"VERDICT"},
               {"REASON"},
               {"MODULE"},
               {"RULE"},
               {"WHY", Align::kLeft, /*may_shrink=*/true}});
  // One packet has the screen for itself.
  const bool alone = simulations.simulations_size() == 1;
  std::string below;
  for (const v1::Simulation& one : simulations.simulations()) {
    if (!one.error().empty()) {
      table.AddRow({{screen.Safe(one.packet())},
                    {"not simulated", Paint::kYellow},
                    {""},
                    {""},
                    {""},
                    {screen.Safe(one.error())}});
      continue;
    }
    const std::vector<std::string> remarks = Remarks(one);
    if (alone) {
      for (const std::string& remark : remarks) below += "  " + screen.Safe(remark) + "\n";
    }
    const std::string beside =
        alone || remarks.empty() ? one.meaning() : absl::StrJoin(remarks, "; ");
    table.AddRow({{screen.Safe(one.packet())},
                  {screen.Safe(one.verdict()), PaintOfVerdict(one.verdict())},
                  {screen.Safe(one.reason())},
                  {screen.Safe(one.module())},
                  {one.rule().empty() ? "-" : screen.Safe(one.rule())},
                  {screen.Safe(beside), Paint::kDim}});
  }
  return table.Render(screen) + below + (alone ? "" : "\n" + Summary(simulations, screen));
}

std::string RenderFindings(const v1::Findings& findings, const Viewpoint& view) {
  const Screen& screen = view.screen;
  size_t widest = 0;
  for (const v1::Finding& one : findings.findings()) {
    widest = std::max(widest, Columns(one.check()));
  }
  std::string out;
  for (const v1::Finding& one : findings.findings()) {
    const bool good = one.mark() == "ok";
    const bool wrong = one.mark() == "wrong";
    const std::string_view mark = good    ? screen.Pick("✓", "ok")
                                  : wrong ? screen.Pick("✗", "xx")
                                          : screen.Pick("!", "! ");
    const Paint paint = good ? Paint::kGreen : wrong ? Paint::kRed : Paint::kYellow;
    out += fmt::format("{} {}  {}\n", screen.Painted(paint, mark),
                       Padded(screen.Safe(one.check()), widest, Align::kLeft),
                       screen.Safe(one.found()));
    if (!one.mend().empty()) {
      out += fmt::format("{}  {}\n", std::string(widest + Columns(mark) + 1, ' '),
                         screen.Painted(Paint::kCyan, screen.Safe(one.mend())));
    }
  }
  return out;
}

}  // namespace stem::ctl
