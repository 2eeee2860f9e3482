// SPDX-License-Identifier: Apache-2.0
// What a configuration value may be: one small type per kind, with its limits. Each has
// Right(), what to write, and Read(), which leaves the target alone after adding an error.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/address.h"
#include "common/config/document.h"
#include "common/name.h"
#include "fmt/format.h"

namespace stem {

// true or false. YAML 1.1's yes, no, on, off are refused: `no` has been a country too often.
struct Boolean {
  std::string Right() const { return "true or false"; }
  void Read(const ConfigValue& value, bool& target) const;
};

// A whole decimal number within [min, max].
struct Integer {
  int64_t min = 0;
  int64_t max = std::numeric_limits<int64_t>::max();

  std::string Right() const;
  void Read(const ConfigValue& value, int64_t& target) const;

  template <std::integral T>
  requires(!std::same_as<T, int64_t> && !std::same_as<T, bool>) void Read(const ConfigValue& value,
                                                                          T& target) const {
    auto wide = static_cast<int64_t>(target);
    Read(value, wide);
    target = static_cast<T>(wide);
  }
};

// A decimal number within [min, max], with or without a fraction.
struct Number {
  double min = 0;
  double max = std::numeric_limits<double>::max();

  std::string Right() const;
  void Read(const ConfigValue& value, double& target) const;
};

// A whole number and a unit: ns, us, ms, s, m, h. "400ms", "60s", "5m".
struct Duration {
  std::chrono::nanoseconds min{0};
  std::chrono::nanoseconds max = std::chrono::hours(24);

  std::string Right() const;
  void Read(const ConfigValue& value, std::chrono::nanoseconds& target) const;
};

// A whole number and a unit: B, KiB, MiB, GiB. "64KiB"; the target is in bytes.
struct Bytes {
  uint64_t min = 0;
  uint64_t max = uint64_t{1} << 40;

  std::string Right() const;
  void Read(const ConfigValue& value, uint64_t& target) const;
};

// Any text of min to max bytes. What YAML would take for a number, boolean or null needs quotes.
struct Text {
  size_t min = 1;
  size_t max = 1024;

  std::string Right() const;
  void Read(const ConfigValue& value, std::string& target) const;
};

// A name that is safe in a path, a metric and a certificate: [A-Za-z0-9][A-Za-z0-9._-]*, at most
// `max` characters. Numbers need quotes.
struct Name {
  size_t max = kMaxNameLength;

  std::string Right() const;
  void Read(const ConfigValue& value, std::string& target) const;
};

// A path; a relative one is meant from the folder of the configuration file. The target is always
// usable as it is. Whether the file is there is for its reader to say.
struct FilePath {
  std::string Right() const { return "the path of a file"; }
  void Read(const ConfigValue& value, std::string& target) const;
};

// "192.0.2.1:7443", "[2001:db8::1]:7443", or with a DNS name: "sm.example.org:7443". Port 1 to
// 65535.
struct HostAndPort {
  std::string Right() const;
  void Read(const ConfigValue& value, std::string& target) const;
};

struct AddressText {
  std::string Right() const;
  void Read(const ConfigValue& value, IpAddress& target) const;
};

// Address and port. Port 0 is refused unless `any_port` ("let the kernel choose") makes sense.
struct EndpointText {
  bool any_port = false;

  std::string Right() const;
  void Read(const ConfigValue& value, Endpoint& target) const;
};

struct PrefixText {
  std::string Right() const;
  void Read(const ConfigValue& value, Prefix& target) const;
};

// One of a few words, each standing for a value: Choice<Action>{{{"refuse", kRefuse}, ...}}.
template <typename E>
struct Choice {
  std::vector<std::pair<std::string_view, E>> choices;

  std::string Right() const {
    std::string words;
    for (const auto& [word, meaning] : choices) {
      if (!words.empty()) words += ", ";
      words += word;
    }
    return fmt::format("one of {}", words);
  }

  void Read(const ConfigValue& value, E& target) const {
    const std::string* text = value.AnyText(Right());
    if (text == nullptr) return;
    for (const auto& [word, meaning] : choices) {
      if (*text == word) {
        target = meaning;
        return;
      }
    }
    value.Error(fmt::format("'{}' is not a choice", *text), Right());
  }
};

// A list whose items are all of one kind. The target is replaced when every item is right in form
// and number; an item that is wrong keeps its default value, and its error is reported.
template <typename Kind>
struct Each {
  Kind kind;
  Count count = {};

  std::string Right() const { return fmt::format("a list, each item {}", kind.Right()); }

  template <typename T>
  void Read(const ConfigValue& value, std::vector<T>& target) const {
    const std::vector<ConfigValue> items = value.Items(count);
    if (items.empty() && count.min > 0) return;
    std::vector<T> read(items.size());
    for (size_t i = 0; i < items.size(); ++i) kind.Read(items[i], read[i]);
    target = std::move(read);
  }
};
template <typename Kind>
Each(Kind) -> Each<Kind>;
template <typename Kind>
Each(Kind, Count) -> Each<Kind>;

template <>
struct NaturalKind<bool> : Boolean {};
template <>
struct NaturalKind<IpAddress> : AddressText {};
template <>
struct NaturalKind<Endpoint> : EndpointText {};
template <>
struct NaturalKind<Prefix> : PrefixText {};

// "1500ms", "60s": the shortest exact way to write it, for messages and logs.
std::string DurationText(std::chrono::nanoseconds duration);

}  // namespace stem
