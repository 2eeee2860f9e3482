// SPDX-License-Identifier: Apache-2.0
#include "ctl/quantities.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"

namespace stem::ctl {

std::string Counted(uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (size_t place = digits.size(); place > 3;) {
    place -= 3;
    digits.insert(place, 1, ',');
  }
  return digits;
}

std::string Lasting(int64_t milliseconds) {
  const int64_t ms = std::max<int64_t>(milliseconds, 0);
  const int64_t seconds = ms / 1000;
  const int64_t minutes = seconds / 60;
  const int64_t hours = minutes / 60;
  const int64_t days = hours / 24;
  if (days > 0) return fmt::format("{}d {:02}h", days, hours % 24);
  if (hours > 0) return fmt::format("{}h {:02}m", hours, minutes % 60);
  if (minutes > 0) return fmt::format("{}m {:02}s", minutes, seconds % 60);
  if (seconds > 0) return fmt::format("{} s", seconds);
  return fmt::format("{} ms", ms);
}

std::string Microseconds(double microseconds, const Screen& screen) {
  double value = std::max(microseconds, 0.0);
  std::string_view unit = screen.Pick("µs", "us");
  // The thresholds are where rounding to three digits would show 1000.
  if (value >= 999.5) {
    value /= 1000;
    unit = "ms";
  }
  if (unit == "ms" && value >= 999.5) {
    value /= 1000;
    unit = "s";
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, unit);
}

std::string ByteRate(uint64_t bytes_per_second) {
  if (bytes_per_second == 0) return "none";
  double value = static_cast<double>(bytes_per_second);
  std::string_view unit = "B/s";
  for (const std::string_view larger : {"kB/s", "MB/s", "GB/s"}) {
    if (value < 999.5) break;
    value /= 1000;
    unit = larger;
  }
  const bool whole = unit == "B/s" || value >= 99.95;
  return fmt::format("{:.{}f} {}", value, whole ? 0 : value < 9.995 ? 2 : 1, unit);
}

std::string AddressText(const v1::Endpoint& endpoint) {
  const std::string& address = endpoint.address();
  if (endpoint.port() == 0) return address;
  const bool v6 = address.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", address, endpoint.port())
            : fmt::format("{}:{}", address, endpoint.port());
}

std::string_view SideText(v1::Side side, std::string_view none) {
  switch (side) {
    case v1::SIDE_OUTSIDE:
      return "outside";
    case v1::SIDE_INSIDE:
      return "inside";
    default:
      return none;
  }
}

}  // namespace stem::ctl
