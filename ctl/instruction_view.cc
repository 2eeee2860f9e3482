// SPDX-License-Identifier: Apache-2.0
#include "ctl/instruction_view.h"

#include <cmath>

#include "ctl/data_plane_view.h"
#include "ctl/quantities.h"
#include "ctl/table.h"
#include "fmt/format.h"

namespace stem::ctl {
namespace {

constexpr char kNoEnd[] = "until taken back";

std::string ScopeText(v1::BlockScope scope) {
  switch (scope) {
    case v1::BLOCK_SCOPE_UNSPECIFIED:
      return "all";
    case v1::BLOCK_SCOPE_SYN:
      return "syn";
    case v1::BLOCK_SCOPE_SIGNALLING:
      return "signalling";
    case v1::BLOCK_SCOPE_MEDIA:
      return "media";
    default:
      return "?";
  }
}

std::string PortedText(const std::string& address, uint32_t port) {
  v1::Endpoint endpoint;
  endpoint.set_address(address);
  endpoint.set_port(port);
  return AddressText(endpoint);
}

std::string RateText(double rate) {
  if (rate == 0) return "no limit";
  const double whole = std::round(rate);
  return whole == rate ? fmt::format("{}/s", Counted(static_cast<uint64_t>(whole)))
                       : fmt::format("{:g}/s", rate);
}

std::string LimitText(double rate, uint32_t burst, int64_t penalty_ms) {
  if (rate == 0) return RateText(rate);
  const std::string limit = fmt::format("{}, burst {}", RateText(rate), Counted(burst));
  return penalty_ms == 0 ? limit : fmt::format("{}, penalty {}", limit, Lasting(penalty_ms));
}

std::string LimitText(const v1::GuardLimit& limit) {
  return LimitText(limit.rate(), limit.burst(), limit.penalty_ms());
}

std::string LeftText(int64_t left_ms) { return left_ms < 0 ? kNoEnd : Lasting(left_ms); }

// Kind, what it is about, and how.
std::vector<Cell> What(const v1::Instruction& instruction, const Screen& screen) {
  switch (instruction.what_case()) {
    case v1::Instruction::kThreshold: {
      const v1::Threshold& threshold = instruction.threshold();
      return {{"threshold"},
              {screen.Safe(threshold.name())},
              {LimitText(threshold.rate(), threshold.burst(), threshold.penalty_ms())}};
    }
    case v1::Instruction::kBlock: {
      const v1::BlockedSource& block = instruction.block();
      const std::string to =
          block.destination().empty() ? "" : fmt::format(" to {}", block.destination());
      return {{"block"}, {screen.Safe(block.source() + to)}, {ScopeText(block.scope())}};
    }
    case v1::Instruction::kPermit: {
      const v1::Permit& permit = instruction.permit();
      return {{"permit"},
              {screen.Safe(fmt::format("{} to {}", permit.source(),
                                       PortedText(permit.destination(), permit.port())))},
              {"tcp"}};
    }
    case v1::Instruction::WHAT_NOT_SET:
      break;
  }
  return {{"?"}, {"of a later version"}, {""}};
}

}  // namespace

std::string InstructedBy(int64_t instruction) {
  return instruction == 0 ? "security manager" : fmt::format("security manager #{}", instruction);
}

std::string RenderInstructions(const v1::ListInstructionsResponse& instructions,
                               const Viewpoint& view) {
  if (instructions.instructions().empty()) return "no instructions\n";
  const Screen& screen = view.screen;
  Table table({{"ID", Align::kRight},
               {"KIND"},
               {"ABOUT", Align::kLeft, /*may_shrink=*/true},
               {"HOW"},
               {"STILL FOR", Align::kRight},
               {"COMMENT", Align::kLeft, /*may_shrink=*/true}});
  for (const v1::Instruction& instruction : instructions.instructions()) {
    std::vector<Cell> row = What(instruction, screen);
    row.insert(row.begin(), {fmt::format("{}", instruction.id())});
    const int64_t left = instruction.until_unix_ms() - view.now_unix_ms;
    row.push_back({instruction.until_unix_ms() == 0 ? kNoEnd : left <= 0 ? "over" : Lasting(left)});
    row.push_back({screen.Safe(instruction.comment()), Paint::kDim});
    table.AddRow(std::move(row));
  }
  return table.Render(screen);
}

std::string RenderThresholds(const v1::ListThresholdsResponse& thresholds, const Viewpoint& view) {
  const Screen& screen = view.screen;
  Table table({{"THRESHOLD"},
               {"GUARD"},
               {"IN FORCE"},
               {"SET BY"},
               {"STILL FOR", Align::kRight},
               {"CONFIGURED"},
               {"COMMENT", Align::kLeft, /*may_shrink=*/true}});
  bool loading = false;
  for (const v1::ThresholdInForce& threshold : thresholds.thresholds()) {
    loading = loading || threshold.loading();
    const bool instructed = threshold.instruction() != 0;
    table.AddRow({{screen.Safe(threshold.name())},
                  {screen.Safe(threshold.mode()), PaintOfMode(threshold.mode())},
                  {LimitText(threshold.limit()), threshold.loading() ? Paint::kYellow
                                                 : instructed        ? Paint::kCyan
                                                                     : Paint::kPlain},
                  {instructed ? InstructedBy(threshold.instruction()) : "configuration"},
                  {instructed ? LeftText(threshold.left_ms()) : "-"},
                  {instructed ? LimitText(threshold.configured()) : "", Paint::kDim},
                  {screen.Safe(threshold.comment()), Paint::kDim}});
  }
  std::string out = table.Render(screen);
  if (loading) out += "\nAnother limit is on its way into the kernel.\n";
  return out;
}

std::string RenderPermits(const v1::ListPermitsResponse& permits, const Viewpoint& view) {
  const Screen& screen = view.screen;
  std::string out = "nothing is permitted\n";
  if (!permits.permits().empty()) {
    Table table({{"SOURCE"},
                 {"DESTINATION"},
                 {"STILL FOR", Align::kRight},
                 {"USED", Align::kRight},
                 {"SET BY"},
                 {"COMMENT", Align::kLeft, /*may_shrink=*/true}});
    for (const v1::PermitInForce& permit : permits.permits()) {
      table.AddRow({{screen.Safe(permit.source())},
                    {screen.Safe(PortedText(permit.destination(), permit.port()))},
                    {LeftText(permit.left_ms())},
                    {Counted(permit.used())},
                    {InstructedBy(permit.instruction())},
                    {screen.Safe(permit.comment()), Paint::kDim}});
    }
    out = table.Render(screen);
  }
  if (!permits.required()) {
    out += "\nConnections need no permit here (syn_guard.permits: false).\n";
  }
  return out;
}

}  // namespace stem::ctl
