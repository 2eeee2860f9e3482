// SPDX-License-Identifier: Apache-2.0
#include "ctl/rule_view.h"

#include "ctl/quantities.h"
#include "ctl/table.h"
#include "fmt/format.h"

namespace stem::ctl {
namespace {

Paint PaintOf(const v1::Rule& rule) {
  if (rule.action() == "deny") return Paint::kRed;
  return rule.action() == "allow" ? Paint::kGreen : Paint::kYellow;
}

// "192.0.2.0/24 1024-65535", "any"
std::string End(const std::string& prefix, const std::string& ports) {
  const std::string address = prefix.empty() ? "any" : prefix;
  return ports.empty() ? address : fmt::format("{} {}", address, ports);
}

std::string Protocol(const v1::Rule& rule) {
  std::string out = rule.protocol().empty() ? "any" : rule.protocol();
  if (!rule.tcp_flags().empty()) out += " " + rule.tcp_flags();
  if (!rule.icmp_type().empty()) out += " type " + rule.icmp_type();
  return out;
}

}  // namespace

std::string RenderRules(const v1::ListRulesResponse& rules, const Viewpoint& view) {
  const Screen& screen = view.screen;
  Table table({{"#", Align::kRight},
               {"NAME"},
               {"ACTION"},
               {"PACKETS", Align::kRight},
               {"BYTES", Align::kRight},
               {"FROM"},
               {"PROTOCOL"},
               {"SOURCE"},
               {"DESTINATION"},
               {"COMMENT", Align::kLeft, /*may_shrink=*/true}});
  for (const v1::Rule& rule : rules.rules()) {
    table.AddRow({{fmt::format("{}", rule.place()), Paint::kDim},
                  {screen.Safe(rule.name())},
                  {screen.Safe(rule.action()), PaintOf(rule)},
                  {Counted(rule.packets())},
                  {Counted(rule.bytes())},
                  {std::string(SideText(rule.from(), "any"))},
                  {screen.Safe(Protocol(rule))},
                  {screen.Safe(End(rule.source(), rule.source_ports()))},
                  {screen.Safe(End(rule.destination(), rule.destination_ports()))},
                  {screen.Safe(rule.comment()), Paint::kDim}});
  }
  return table.empty() ? "no rules\n" : table.Render(screen);
}

std::string RenderReload(const v1::ReloadRulesResponse& done, const Viewpoint& view) {
  std::string out;
  for (const std::string& warning : done.warnings()) {
    out += fmt::format("warning: {}\n", view.screen.Safe(warning));
  }
  return out + fmt::format("{} rules in force\n", done.rules());
}

}  // namespace stem::ctl
