// SPDX-License-Identifier: Apache-2.0
#include "ctl/counter_view.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "ctl/quantities.h"
#include "ctl/table.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace stem::ctl {
namespace {

// The agent's own counters belong to no interface.
std::string SideOf(const v1::Counter& counter) {
  return std::string(SideText(counter.side(), "agent"));
}

Paint PaintOf(const v1::Counter& counter, bool moved) {
  if (!moved) return Paint::kDim;
  return counter.drop() ? Paint::kRed : Paint::kPlain;
}

std::string PerSecond(double rate) {
  // Slow counters would all look the same without a decimal.
  if (rate > 0 && rate < 10) return fmt::format("{:.1f}", rate);
  return Counted(static_cast<uint64_t>(std::llround(rate)));
}

}  // namespace

std::string RenderCounters(const v1::GetCountersResponse& counters, ZeroRows zeros,
                           const Viewpoint& view) {
  const Screen& screen = view.screen;
  const auto& all = counters.counters();
  // Only where a module in observe had something to say.
  const bool observed =
      std::any_of(all.begin(), all.end(), [](const v1::Counter& c) { return c.observed() > 0; });
  std::vector<Column> columns = {
      {"REASON"}, {"SIDE"}, {"PACKETS", Align::kRight}, {"BYTES", Align::kRight}};
  if (observed) columns.push_back({"OBSERVED", Align::kRight});
  columns.push_back({"MEANING", Align::kLeft, /*may_shrink=*/true});
  Table table(std::move(columns));
  for (const v1::Counter& counter : all) {
    const bool moved = counter.packets() > 0 || counter.observed() > 0;
    if (!moved && zeros == ZeroRows::kHidden) continue;
    const Paint paint = PaintOf(counter, moved);
    std::vector<Cell> row = {{screen.Safe(counter.name()), paint},
                             {SideOf(counter), paint},
                             {Counted(counter.packets()), paint},
                             {Counted(counter.bytes()), paint}};
    if (observed) row.push_back({Counted(counter.observed()), Paint::kYellow});
    row.push_back({screen.Safe(counter.meaning()), Paint::kDim});
    table.AddRow(std::move(row));
  }
  return table.empty() ? "nothing counted yet\n" : table.Render(screen);
}

std::vector<CounterRate> Rates(const v1::GetCountersResponse& before,
                               const v1::GetCountersResponse& now, double seconds) {
  std::map<std::pair<std::string, v1::Side>, const v1::Counter*> earlier;
  for (const v1::Counter& counter : before.counters()) {
    earlier[{counter.name(), counter.side()}] = &counter;
  }
  const auto rate = [seconds](uint64_t was, uint64_t is) {
    return static_cast<double>(is >= was ? is - was : is) / seconds;
  };
  std::vector<CounterRate> rates;
  for (const v1::Counter& counter : now.counters()) {
    const auto found = earlier.find({counter.name(), counter.side()});
    const v1::Counter& was =
        found == earlier.end() ? v1::Counter::default_instance() : *found->second;
    rates.push_back({.counter = counter,
                     .packets_per_second = rate(was.packets(), counter.packets()),
                     .bytes_per_second = rate(was.bytes(), counter.bytes())});
  }
  return rates;
}

std::string RenderRates(const std::vector<CounterRate>& rates, ZeroRows zeros,
                        const Viewpoint& view) {
  const Screen& screen = view.screen;
  Table table({{"REASON"},
               {"SIDE"},
               {"PACKETS/S", Align::kRight},
               {"BYTES/S", Align::kRight},
               {"PACKETS", Align::kRight},
               {"MEANING", Align::kLeft, /*may_shrink=*/true}});
  for (const CounterRate& rate : rates) {
    if (rate.counter.packets() == 0 && zeros == ZeroRows::kHidden) continue;
    const Paint paint = PaintOf(rate.counter, rate.packets_per_second > 0);
    table.AddRow({{screen.Safe(rate.counter.name()), paint},
                  {SideOf(rate.counter), paint},
                  {PerSecond(rate.packets_per_second), paint},
                  {PerSecond(rate.bytes_per_second), paint},
                  {Counted(rate.counter.packets()), paint},
                  {screen.Safe(rate.counter.meaning()), Paint::kDim}});
  }
  return table.empty() ? "nothing counted yet\n" : table.Render(screen);
}

std::string RatesJson(const std::vector<CounterRate>& rates, int64_t now_unix_ms) {
  nlohmann::ordered_json document;
  document["unix_ms"] = now_unix_ms;
  document["rates"] = nlohmann::ordered_json::array();
  for (const CounterRate& rate : rates) {
    document["rates"].push_back({{"name", rate.counter.name()},
                                 {"side", v1::Side_Name(rate.counter.side())},
                                 {"drop", rate.counter.drop()},
                                 {"packets", rate.counter.packets()},
                                 {"packets_per_second", rate.packets_per_second},
                                 {"bytes_per_second", rate.bytes_per_second}});
  }
  // What is no UTF-8 is replaced, not thrown about.
  using Json = nlohmann::ordered_json;
  return document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace stem::ctl
