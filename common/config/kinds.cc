// SPDX-License-Identifier: Apache-2.0
#include "common/config/kinds.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>
#include <system_error>

#include "common/name.h"

namespace stem {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

// From small to large.
constexpr std::array<Unit, 6> kTimeUnits = {{{"ns", 1},
                                             {"us", 1'000},
                                             {"ms", 1'000'000},
                                             {"s", 1'000'000'000},
                                             {"m", 60'000'000'000},
                                             {"h", 3'600'000'000'000}}};
constexpr std::array<Unit, 4> kByteUnits = {
    {{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}};

// Digits of the whole text as a number; nullopt for anything else, overflow included.
template <typename T>
std::optional<T> WholeText(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool IsDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "64KiB" by `units`, in the smallest of them. A bare 0 needs no unit.
template <size_t N>
std::optional<uint64_t> ParseQuantity(std::string_view text, const std::array<Unit, N>& units) {
  if (text == "0") return 0;
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = WholeText<uint64_t>(text.substr(0, digits));
  if (!number.has_value()) return std::nullopt;
  for (const Unit& unit : units) {
    if (unit.name != text.substr(digits)) continue;
    if (*number > std::numeric_limits<int64_t>::max() / unit.factor) return std::nullopt;
    return *number * unit.factor;
  }
  return std::nullopt;
}

template <size_t N>
std::string QuantityText(uint64_t quantity, const std::array<Unit, N>& units) {
  if (quantity == 0) return fmt::format("0{}", units[0].name);
  const Unit* fitting = &units[0];
  for (const Unit& unit : units) {
    if (quantity % unit.factor == 0) fitting = &unit;
  }
  return fmt::format("{}{}", quantity / fitting->factor, fitting->name);
}

// What YAML readers (1.1 and 1.2) would not take for text when it stands without quotes.
std::optional<std::string_view> NotText(std::string_view plain) {
  static constexpr std::array<std::string_view, 6> kBooleans = {"true", "false", "yes",
                                                                "no",   "on",    "off"};
  std::string lower(plain);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (std::find(kBooleans.begin(), kBooleans.end(), lower) != kBooleans.end()) return "a boolean";
  std::string_view unsigned_part = plain;
  if (plain.starts_with('-') || plain.starts_with('+')) unsigned_part.remove_prefix(1);
  if (!unsigned_part.empty() &&
      unsigned_part.find_first_not_of("0123456789.") == std::string_view::npos &&
      unsigned_part.front() != '.' && std::count(plain.begin(), plain.end(), '.') <= 1) {
    return "a number";
  }
  return std::nullopt;
}

// The scalar as text, or nullptr after an error, also for what needs quotes to be text.
const std::string* TextOf(const ConfigValue& value, const std::string& right) {
  const std::string* text = value.AnyText(right);
  if (text == nullptr || value.quoted()) return text;
  if (const auto other = NotText(*text); other.has_value()) {
    value.Error(fmt::format("{} without quotes is {}", *text, *other),
                fmt::format("\"{}\" or {}", *text, right));
    return nullptr;
  }
  return text;
}

// Reads with a type's own Parse, whose message says what is wrong.
template <typename T>
std::optional<T> Parsed(const ConfigValue& value, const std::string& right) {
  const std::string* text = value.AnyText(right);
  if (text == nullptr) return std::nullopt;
  absl::StatusOr<T> parsed = T::Parse(*text);
  if (parsed.ok()) return *parsed;
  const auto message = parsed.status().message();
  value.Error(std::string_view(message.data(), message.size()), right);
  return std::nullopt;
}

}  // namespace

void Boolean::Read(const ConfigValue& value, bool& target) const {
  const std::string* text = value.PlainText(Right());
  if (text == nullptr) return;
  if (*text == "true" || *text == "false") {
    target = *text == "true";
  } else {
    value.Error(fmt::format("'{}' is not a boolean", *text), Right());
  }
}

std::string Integer::Right() const {
  if (max == std::numeric_limits<int64_t>::max()) {
    return fmt::format("a whole number, at least {}", min);
  }
  return fmt::format("a whole number from {} to {}", min, max);
}

void Integer::Read(const ConfigValue& value, int64_t& target) const {
  const std::string* text = value.PlainText(Right());
  if (text == nullptr) return;
  const bool negative = text->starts_with('-');
  if (!IsDigits(std::string_view(*text).substr(negative ? 1 : 0))) {
    value.Error(fmt::format("'{}' is not a whole number", *text), Right());
    return;
  }
  const auto number = WholeText<int64_t>(*text);
  if (!number.has_value() || *number < min || *number > max) {
    value.Error(fmt::format("{} is out of range", *text), Right());
    return;
  }
  target = *number;
}

std::string Number::Right() const {
  if (max == std::numeric_limits<double>::max()) return fmt::format("a number, at least {}", min);
  return fmt::format("a number from {} to {}", min, max);
}

void Number::Read(const ConfigValue& value, double& target) const {
  const std::string* text = value.PlainText(Right());
  if (text == nullptr) return;
  const auto number = WholeText<double>(*text);
  if (!number.has_value() || !std::isfinite(*number)) {
    value.Error(fmt::format("'{}' is not a number", *text), Right());
  } else if (*number < min || *number > max) {
    value.Error(fmt::format("{} is out of range", *text), Right());
  } else {
    target = *number;
  }
}

std::string Duration::Right() const {
  return fmt::format("a duration from {} to {}, such as 400ms, 60s or 5m", DurationText(min),
                     DurationText(max));
}

void Duration::Read(const ConfigValue& value, std::chrono::nanoseconds& target) const {
  const std::string* text = value.PlainText(Right());
  if (text == nullptr) return;
  const auto parsed = ParseQuantity(*text, kTimeUnits);
  if (!parsed.has_value()) {
    value.Error(fmt::format("'{}' is not a duration", *text), Right());
    return;
  }
  const std::chrono::nanoseconds duration(static_cast<int64_t>(*parsed));
  if (duration < min || duration > max) {
    value.Error(fmt::format("{} is out of range", *text), Right());
    return;
  }
  target = duration;
}

std::string Bytes::Right() const {
  return fmt::format("a size from {} to {}, such as 64KiB or 2MiB", QuantityText(min, kByteUnits),
                     QuantityText(max, kByteUnits));
}

void Bytes::Read(const ConfigValue& value, uint64_t& target) const {
  const std::string* text = value.PlainText(Right());
  if (text == nullptr) return;
  const auto parsed = ParseQuantity(*text, kByteUnits);
  if (!parsed.has_value()) {
    value.Error(fmt::format("'{}' is not a size", *text), Right());
  } else if (*parsed < min || *parsed > max) {
    value.Error(fmt::format("{} is out of range", *text), Right());
  } else {
    target = *parsed;
  }
}

std::string Text::Right() const { return fmt::format("text of {} to {} bytes", min, max); }

void Text::Read(const ConfigValue& value, std::string& target) const {
  const std::string* text = TextOf(value, Right());
  if (text == nullptr) return;
  if (text->size() < min || text->size() > max) {
    value.Error(fmt::format("the text has {} bytes", text->size()), Right());
    return;
  }
  target = *text;
}

std::string Name::Right() const {
  return fmt::format(
      "a name of 1 to {} letters, digits, '.', '_' or '-' that begins with a letter or digit", max);
}

void Name::Read(const ConfigValue& value, std::string& target) const {
  const std::string* text = TextOf(value, Right());
  if (text == nullptr) return;
  if (!IsName(*text, max)) {
    value.Error(fmt::format("'{}' is not a name", *text), Right());
    return;
  }
  target = *text;
}

void FilePath::Read(const ConfigValue& value, std::string& target) const {
  const std::string* text = TextOf(value, Right());
  if (text == nullptr) return;
  if (text->empty() || text->find('\0') != std::string::npos) {
    value.Error("the path is empty or holds a zero byte", Right());
    return;
  }
  const std::filesystem::path folder = std::filesystem::path(value.file()).parent_path();
  target = (folder / *text).lexically_normal().string();
}

std::string HostAndPort::Right() const {
  return "a host and port such as 192.0.2.1:7443, [2001:db8::1]:7443 or sm.example.org:7443";
}

void HostAndPort::Read(const ConfigValue& value, std::string& target) const {
  const std::string* text = TextOf(value, Right());
  if (text == nullptr) return;
  if (const auto endpoint = Endpoint::Parse(*text); endpoint.ok() && endpoint->port != 0) {
    target = endpoint->ToString();
    return;
  }
  const size_t colon = text->find(':');
  const std::string_view port =
      colon == std::string::npos ? "" : std::string_view(*text).substr(colon + 1);
  const auto number = IsDigits(port) ? WholeText<uint16_t>(port) : std::nullopt;
  if (number.value_or(0) == 0 || !IsHostName(std::string_view(*text).substr(0, colon))) {
    value.Error(fmt::format("'{}' is not a host and port", *text), Right());
    return;
  }
  target = *text;
}

std::string AddressText::Right() const {
  return "an IPv4 or IPv6 address such as 192.0.2.1 or 2001:db8::1";
}

void AddressText::Read(const ConfigValue& value, IpAddress& target) const {
  if (const auto address = Parsed<IpAddress>(value, Right())) target = *address;
}

std::string EndpointText::Right() const {
  return "an address and port such as 192.0.2.1:5060 or [2001:db8::1]:5060";
}

void EndpointText::Read(const ConfigValue& value, Endpoint& target) const {
  const auto endpoint = Parsed<Endpoint>(value, Right());
  if (!endpoint.has_value()) return;
  if (endpoint->port == 0 && !any_port) {
    value.Error("port 0 is no port", Right());
    return;
  }
  target = *endpoint;
}

std::string PrefixText::Right() const {
  return "an address prefix such as 192.0.2.0/24 or 2001:db8::/32";
}

void PrefixText::Read(const ConfigValue& value, Prefix& target) const {
  if (const auto prefix = Parsed<Prefix>(value, Right())) target = *prefix;
}

std::string DurationText(std::chrono::nanoseconds duration) {
  return QuantityText(static_cast<uint64_t>(duration.count()), kTimeUnits);
}

}  // namespace stem
