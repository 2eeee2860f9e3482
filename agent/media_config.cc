// SPDX-License-Identifier: Apache-2.0
#include "agent/media_config.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "agent/config_milliseconds.h"

namespace stem {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// A whole number and a unit: "64kbit/s", "4Mbit/s", "1Gbit/s"; the target is in bit/s.
struct BitRate {
  uint64_t min = 0;
  uint64_t max = 0;

  std::string Right() const {
    return fmt::format("a rate from {} to {}, such as 64kbit/s, 4Mbit/s or 1Gbit/s", Written(min),
                       Written(max));
  }
  void Read(const ConfigValue& value, uint64_t& target) const {
    const std::string* text = value.AnyText(Right());
    if (text == nullptr) return;
    const std::optional<uint64_t> rate = Parse(*text);
    if (!rate) return value.Error(fmt::format("'{}' is not a rate", *text), Right());
    if (*rate < min || *rate > max) {
      return value.Error(fmt::format("{} is out of range", *text), Right());
    }
    target = *rate;
  }

 private:
  static std::string Written(uint64_t rate) { return fmt::format("{}kbit/s", rate / 1000); }
  static std::optional<uint64_t> Parse(const std::string& text) {
    const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0 || digits > 9) return std::nullopt;
    const uint64_t number = std::stoull(text.substr(0, digits));
    const std::string unit = text.substr(digits);
    if (unit == "kbit/s") return number * 1000;
    if (unit == "Mbit/s") return number * 1'000'000;
    if (unit == "Gbit/s") return number * 1'000'000'000;
    return std::nullopt;
  }
};

void ReadPolicy(const ConfigSection& section, MediaPolicy& policy) {
  const BitRate rate{1000, 100'000'000'000};
  section.Optional("unknown_rate", policy.unknown_rate, rate);
  section.Optional("max_rate", policy.max_rate, rate);
  if (policy.max_rate < policy.unknown_rate) {
    section.At("max_rate").Error("is less than unknown_rate", "at least that");
  }
  section.Optional("margin", policy.margin, Number{1, 1000});
  ReadMilliseconds(section, "burst", policy.burst, Duration{milliseconds(10), seconds(60)});
  section.Optional("reaction", policy.reaction,
                   Choice<MediaReaction>{{{"police", MediaReaction::kPolice},
                                          {"lower", MediaReaction::kLower},
                                          {"close", MediaReaction::kClose}}});
  ReadMilliseconds(section, "period", policy.period, Duration{nanoseconds(0), hours(1)});
  section.Optional("tolerated", policy.tolerated, Number{0.001, 1});
  section.Optional("lowered_to", policy.lowered_to, Number{0.01, 1});
}

}  // namespace

void ReadMedia(const ConfigSection& section, CallMonitorConfig& config) {
  section.Optional("peer", config.media_peer,
                   Choice<MediaPeer>{{{"endpoint", MediaPeer::kEndpoint},
                                      {"address", MediaPeer::kAddress},
                                      {"latch", MediaPeer::kLatch}}});
  section.Optional("lowest_port", config.lowest_media_port, Integer{1, 65535});
  ReadMilliseconds(section, "idle_timeout", config.timeouts.idle_media,
                   Duration{nanoseconds(0), hours(24)});
  ReadMilliseconds(section, "takeover", config.timeouts.takeover,
                   Duration{milliseconds(100), hours(1)});
  ReadPolicy(section, config.media);
}

}  // namespace stem
