// SPDX-License-Identifier: Apache-2.0
#include "ctl/call_view.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "ctl/ladder.h"
#include "ctl/quantities.h"
#include "ctl/table.h"
#include "fmt/format.h"

namespace stem::ctl {
namespace {

Paint PaintOfState(const std::string& state) {
  if (state == "established") return Paint::kGreen;
  if (state == "deciding" || state == "ringing") return Paint::kYellow;
  if (state == "ended") return Paint::kDim;
  return Paint::kPlain;
}

// How long the call has been talked for, or has been tried for where nobody answered.
int64_t LengthMs(const v1::Call& call, int64_t now_unix_ms) {
  const int64_t from =
      call.answered_unix_ms() != 0 ? call.answered_unix_ms() : call.started_unix_ms();
  return (call.ended_unix_ms() != 0 ? call.ended_unix_ms() : now_unix_ms) - from;
}

std::string ClockTime(int64_t unix_ms, const Viewpoint& view) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S %Z", absl::FromUnixMillis(unix_ms), view.zone);
}

std::string Party(const std::string& uri, v1::Side side, const v1::Endpoint& signalling,
                  const Screen& screen) {
  std::string where(SideText(side, ""));
  const std::string address = AddressText(signalling);
  if (!address.empty()) where += (where.empty() ? "" : " ") + screen.Safe(address);
  const std::string who = uri.empty() ? "unknown" : screen.Safe(uri);
  return where.empty() ? who : fmt::format("{}  {}", who, where);
}

v1::Side Opposite(v1::Side side) {
  if (side == v1::SIDE_OUTSIDE) return v1::SIDE_INSIDE;
  return side == v1::SIDE_INSIDE ? v1::SIDE_OUTSIDE : v1::SIDE_UNSPECIFIED;
}

std::string StateSentence(const v1::Call& call, const Viewpoint& view) {
  const Screen& screen = view.screen;
  std::string out = screen.Painted(PaintOfState(call.state()), screen.Safe(call.state()));
  if (!call.outcome().empty()) out += fmt::format(": {}", screen.Safe(call.outcome()));
  const std::string length = Lasting(LengthMs(call, view.now_unix_ms));
  out += call.answered_unix_ms() != 0 ? fmt::format(", talked for {}", length)
                                      : fmt::format(", for {}", length);
  if (call.adopted()) out += ", adopted from an earlier agent";
  return out;
}

}  // namespace

std::string RenderCalls(const v1::ListCallsResponse& calls, const Viewpoint& view) {
  if (calls.calls().empty()) return "no calls\n";
  const Screen& screen = view.screen;
  Table table({{"ID"},
               {"STATE"},
               {"FROM"},
               {"CALLER", Align::kLeft, /*may_shrink=*/true},
               {"CALLEE", Align::kLeft, /*may_shrink=*/true},
               {"LENGTH", Align::kRight},
               {"PINHOLES", Align::kRight},
               {"WHY", Align::kLeft, /*may_shrink=*/true}});
  for (const v1::Call& call : calls.calls()) {
    const std::string& why = call.outcome().empty() ? call.why() : call.outcome();
    table.AddRow({{screen.Safe(call.id())},
                  {screen.Safe(call.state()), PaintOfState(call.state())},
                  {std::string(SideText(call.origin()))},
                  {screen.Safe(call.caller())},
                  {screen.Safe(call.callee())},
                  {Lasting(LengthMs(call, view.now_unix_ms))},
                  {Counted(call.pinhole_count())},
                  {screen.Safe(why), Paint::kDim}});
  }
  return table.Render(screen);
}

std::string RenderCall(const v1::Call& call, const Viewpoint& view) {
  const Screen& screen = view.screen;
  std::string out =
      screen.Painted(Paint::kBold, fmt::format("call {}", screen.Safe(call.id()))) + '\n';
  const auto fact = [&](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    out += fmt::format("  {}  {}\n", screen.Painted(Paint::kDim, Padded(name, 8, Align::kLeft)),
                       value);
  };
  fact("from", Party(call.caller(), call.origin(), call.caller_signalling(), screen));
  fact("to", Party(call.callee(), Opposite(call.origin()), call.callee_signalling(), screen));
  fact("Call-ID", screen.Safe(call.call_id()));
  fact("started", ClockTime(call.started_unix_ms(), view));
  fact("state", StateSentence(call, view));
  fact("why", screen.Safe(call.why()));
  out += '\n';
  if (call.ladder().empty()) {
    out += call.adopted() ? "no messages since this agent took over\n" : "no messages\n";
  }
  out += RenderLadder(call.ladder(), screen);
  out += '\n';
  out += RenderPinholes(call.pinholes(), view);
  return out;
}

std::string RenderPinholes(const google::protobuf::RepeatedPtrField<v1::Pinhole>& pinholes,
                           const Viewpoint& view) {
  if (pinholes.empty()) return "no pinholes\n";
  const Screen& screen = view.screen;
  std::vector<const v1::Pinhole*> sorted;
  for (const v1::Pinhole& pinhole : pinholes) sorted.push_back(&pinhole);
  std::sort(sorted.begin(), sorted.end(), [](const v1::Pinhole* a, const v1::Pinhole* b) {
    const auto key = [](const v1::Pinhole& p) {
      return std::tuple(p.call(), p.from(), p.destination().address(), p.destination().port());
    };
    return key(*a) < key(*b);
  });
  Table table({{"FROM"},
               {"PEER"},
               {"DESTINATION"},
               {"MEDIA"},
               {"PACKETS", Align::kRight},
               {"BYTES", Align::kRight},
               {"IDLE", Align::kRight},
               {"AGE", Align::kRight},
               {"LIMIT", Align::kRight},
               {"WRONG PEER", Align::kRight},
               {"TOO FAST", Align::kRight},
               {"BAD RTP", Align::kRight},
               {"CALL"}});
  const auto refused = [](uint64_t packets) {
    return Cell{Counted(packets), packets > 0 ? Paint::kRed : Paint::kPlain};
  };
  for (const v1::Pinhole* pinhole : sorted) {
    table.AddRow(
        {{std::string(SideText(pinhole->from()))},
         {screen.Safe(pinhole->peer()), pinhole->peer() == "any" ? Paint::kYellow : Paint::kPlain},
         {screen.Safe(AddressText(pinhole->destination()))},
         {screen.Safe(pinhole->media())},
         {Counted(pinhole->packets())},
         {Counted(pinhole->bytes())},
         {pinhole->idle_ms() < 0 ? "no packet yet" : Lasting(pinhole->idle_ms())},
         {Lasting(pinhole->age_ms())},
         {ByteRate(pinhole->limits().bytes_per_second())},
         refused(pinhole->wrong_peer()),
         refused(pinhole->too_fast()),
         refused(pinhole->refused()),
         {screen.Safe(pinhole->call()), Paint::kDim}});
  }
  return table.Render(screen);
}

}  // namespace stem::ctl
