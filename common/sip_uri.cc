// SPDX-License-Identifier: Apache-2.0
#include "common/sip_uri.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "common/address.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr std::string_view kDefaultPort = "5060";
constexpr std::string_view kDefaultTlsPort = "5061";

absl::Status Invalid(std::string_view uri, std::string_view wrong) {
  return absl::InvalidArgumentError(
      fmt::format("'{}' {}; write sip:user@host or tel:+number", uri, wrong));
}

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool IsAlphanumeric(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

// RFC 3261, 25.1, `unreserved`: the same character, escaped or not (19.1.4).
bool IsUnreserved(char c) {
  return IsAlphanumeric(c) || std::string_view("-_.!~*'()").find(c) != std::string_view::npos;
}

// `user`: unreserved or user-unreserved.
bool MayStandInUser(char c) {
  return IsUnreserved(c) || std::string_view("&=+$,;?/").find(c) != std::string_view::npos;
}

bool IsHost(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return IsAlphanumeric(c) || c == '-' || c == '.' || c == '_';
  });
}

absl::StatusOr<std::string> CanonicalUser(std::string_view uri, std::string_view user) {
  std::string out;
  for (size_t i = 0; i < user.size(); ++i) {
    if (user[i] != '%') {
      if (!MayStandInUser(user[i])) return Invalid(uri, "has a character that needs an escape");
      out += user[i];
      continue;
    }
    unsigned value = 0;
    const char* digits = user.data() + i + 1;
    if (i + 2 >= user.size() || std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2) {
      return Invalid(uri, "has a broken escape");
    }
    const char decoded = static_cast<char>(value);
    out += IsUnreserved(decoded) ? std::string(1, decoded) : fmt::format("%{:02X}", value);
    i += 2;
  }
  return out;
}

absl::StatusOr<std::string> CanonicalHost(std::string_view uri, std::string_view host_and_port,
                                          std::string_view default_port) {
  size_t colon = host_and_port.find(':');
  if (!host_and_port.empty() && host_and_port.front() == '[') {
    const size_t close = host_and_port.find(']');
    if (close == std::string_view::npos) return Invalid(uri, "has an unclosed IPv6 address");
    colon = host_and_port.find(':', close);
  }
  const std::string_view host_text = host_and_port.substr(0, colon);
  std::string host;
  if (!host_text.empty() && host_text.front() == '[') {
    const absl::StatusOr<IpAddress> address = IpAddress::Parse(host_text);
    if (!address.ok() || address->is_v4()) return Invalid(uri, "has no valid IPv6 address");
    host = fmt::format("[{}]", address->ToString());
  } else {
    if (!IsHost(host_text)) return Invalid(uri, "has no valid host");
    host = Lower(host_text);
    if (host.back() == '.') host.pop_back();  // the DNS root
  }
  if (colon == std::string_view::npos) return host;
  const std::string_view port = host_and_port.substr(colon + 1);
  uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size()) {
    return Invalid(uri, "has no valid port");
  }
  // Compared as numbers: "05060" is the default port too.
  const std::string plain = fmt::format("{}", number);
  return plain == default_port ? host : fmt::format("{}:{}", host, plain);
}

absl::StatusOr<std::string> CanonicalTel(std::string_view uri, std::string_view number) {
  std::string out = "tel:";
  for (const char c : number.substr(0, number.find(';'))) {
    if (std::string_view("-.()").find(c) != std::string_view::npos) continue;
    if (!IsAlphanumeric(c) && c != '+' && c != '*' && c != '#') return Invalid(uri, "is no number");
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (out.size() == 4) return Invalid(uri, "has no digits");
  return out;
}

}  // namespace

absl::StatusOr<std::string> AddressOfRecord(std::string_view uri) {
  const size_t scheme_end = uri.find(':');
  if (scheme_end == std::string_view::npos) return Invalid(uri, "has no scheme");
  const std::string scheme = Lower(uri.substr(0, scheme_end));
  std::string_view rest = uri.substr(scheme_end + 1);
  if (scheme == "tel") return CanonicalTel(uri, rest);
  if (scheme != "sip" && scheme != "sips") return Invalid(uri, "is neither sip, sips nor tel");

  // The user part may hold ';' and '?', so it is taken off before parameters and headers.
  const size_t at = rest.find('@');
  std::string_view user;
  if (at != std::string_view::npos) {
    user = rest.substr(0, at);
    user = user.substr(0, user.find(':'));  // password
    rest = rest.substr(at + 1);
    if (user.empty()) return Invalid(uri, "has an empty user part");
  }
  rest = rest.substr(0, rest.find_first_of(";?"));
  ASSIGN_OR_RETURN(const std::string host,
                   CanonicalHost(uri, rest, scheme == "sips" ? kDefaultTlsPort : kDefaultPort));
  if (user.empty()) return fmt::format("sip:{}", host);
  ASSIGN_OR_RETURN(const std::string name, CanonicalUser(uri, user));
  return fmt::format("sip:{}@{}", name, host);
}

std::string_view HostOfRecord(std::string_view address_of_record) {
  if (address_of_record.substr(0, 4) != "sip:") return {};
  std::string_view rest = address_of_record.substr(4);
  if (const size_t at = rest.find('@'); at != std::string_view::npos) rest = rest.substr(at + 1);
  if (!rest.empty() && rest.front() == '[') return rest.substr(1, rest.find(']') - 1);
  return rest.substr(0, rest.find(':'));
}

}  // namespace stem
