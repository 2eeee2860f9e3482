// SPDX-License-Identifier: Apache-2.0
// Counters for people: totals, and rates between two readings.
#pragma once

#include <string>
#include <vector>

#include "ctl/viewpoint.h"
#include "stem/v1/control.pb.h"

namespace stem::ctl {

enum class ZeroRows { kHidden, kShown };

// Reason x side, or "nothing counted yet". What modules in observe would have dropped has a column
// where there was any.
std::string RenderCounters(const v1::GetCountersResponse& counters, ZeroRows zeros,
                           const Viewpoint& view);

// What one counter did between two readings.
struct CounterRate {
  v1::Counter counter;  // as it is now
  double packets_per_second = 0;
  double bytes_per_second = 0;
};

// One per counter of `now`, in its order. A counter that is lower than before has started again (a
// new agent), and one that is new was zero before. `seconds` is greater than 0.
std::vector<CounterRate> Rates(const v1::GetCountersResponse& before,
                               const v1::GetCountersResponse& now, double seconds);

std::string RenderRates(const std::vector<CounterRate>& rates, ZeroRows zeros,
                        const Viewpoint& view);

// One line of JSON: {"unix_ms": ..., "rates": [{"name": ..., "side": "SIDE_OUTSIDE", "drop": ...,
// "packets": ..., "packets_per_second": ..., "bytes_per_second": ...}]}, zero rows included.
std::string RatesJson(const std::vector<CounterRate>& rates, int64_t now_unix_ms);

}  // namespace stem::ctl
