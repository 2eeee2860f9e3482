// SPDX-License-Identifier: Apache-2.0
#include "ctl/event_view.h"

#include "ctl/quantities.h"
#include "fmt/format.h"

namespace stem::ctl {
namespace {

constexpr size_t kVerdictColumns = 16;  // "would be dropped"
constexpr size_t kSideColumns = 7;      // "outside"
constexpr size_t kWhatColumns = 44;

Paint PaintOfVerdict(const std::string& verdict) {
  if (verdict == "forwarded") return Paint::kGreen;
  if (verdict == "held" || verdict.starts_with("would be")) return Paint::kYellow;
  if (verdict == "dropped") return Paint::kRed;
  if (verdict.starts_with("answered")) return Paint::kCyan;
  return Paint::kPlain;
}

}  // namespace

std::string RenderEvent(const v1::Event& event, const Viewpoint& view) {
  const Screen& screen = view.screen;
  std::string out;
  if (event.lost() > 0) {
    const std::string_view line = screen.Pick("──", "--");
    out +=
        screen.Painted(Paint::kYellow, fmt::format("{} {} {} lost: this reader was too slow {}",
                                                   line, Counted(event.lost()),
                                                   event.lost() == 1 ? "event" : "events", line)) +
        '\n';
  }
  if (event.verdict().empty() && event.what().empty()) return out;
  // %E6S: seconds with six digits, microseconds as the agent measured them.
  const std::string time =
      absl::FormatTime("%H:%M:%E6S", absl::FromUnixMicros(event.unix_us()), view.zone);
  std::string line = fmt::format(
      "{}  {}  {}  {}", screen.Painted(Paint::kDim, time),
      Padded(SideText(event.from()), kSideColumns, Align::kLeft),
      screen.Painted(PaintOfVerdict(event.verdict()),
                     Padded(screen.Safe(event.verdict()), kVerdictColumns, Align::kLeft)),
      Padded(screen.Safe(event.what()), kWhatColumns, Align::kLeft));
  if (!event.why().empty()) line += fmt::format("  {}", screen.Safe(event.why()));
  if (!event.call().empty()) {
    line += "  " + screen.Painted(Paint::kDim, fmt::format("call {}", screen.Safe(event.call())));
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return out + line + '\n';
}

}  // namespace stem::ctl
