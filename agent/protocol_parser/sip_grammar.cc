// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/sip_grammar.h"

#include <algorithm>
#include <charconv>

#include "fmt/format.h"

namespace stem {
namespace {

char LowerCase(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlphanumeric(char c) {
  const char lower = LowerCase(c);
  return IsDigit(c) || (lower >= 'a' && lower <= 'z');
}
bool IsHexDigit(char c) {
  const char lower = LowerCase(c);
  return IsDigit(c) || (lower >= 'a' && lower <= 'f');
}
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Position after the quoted string that starts at `start`, npos when it does not end.
size_t SkipQuoted(std::string_view text, size_t start) {
  for (size_t i = start + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

std::optional<std::string> HostDefect(std::string_view host) {
  if (host.empty()) return "no host";
  if (host.front() == '[') {
    const bool closed = host.size() > 2 && host.back() == ']';
    const std::string_view inside = closed ? host.substr(1, host.size() - 2) : "";
    const bool plausible = std::all_of(
        inside.begin(), inside.end(), [](char c) { return IsHexDigit(c) || c == ':' || c == '.'; });
    if (!closed || !plausible || inside.find(':') == std::string_view::npos) {
      return fmt::format("'{}' is not an IPv6 reference", host);
    }
    return std::nullopt;
  }
  // Underscores are no part of a hostname, but are found in the wild in SRV and Docker names.
  const bool plausible = std::all_of(host.begin(), host.end(), [](char c) {
    return IsAlphanumeric(c) || c == '-' || c == '.' || c == '_';
  });
  if (!plausible) return fmt::format("'{}' is not a host", host);
  return std::nullopt;
}

std::optional<std::string> HostPortDefect(std::string_view host_port) {
  size_t colon = host_port.rfind(':');
  const size_t bracket = host_port.rfind(']');
  if (bracket != std::string_view::npos && colon != std::string_view::npos && colon < bracket) {
    colon = std::string_view::npos;
  }
  const std::string_view host = host_port.substr(0, colon);
  // More colons than one outside brackets: an IPv6 address without them (RFC 5118, 4.2).
  if (auto defect = HostDefect(host)) return defect;
  if (colon == std::string_view::npos) return std::nullopt;
  if (!ParseDigits(host_port.substr(colon + 1), 65535)) {
    return fmt::format("'{}' is not a port", host_port.substr(colon + 1));
  }
  return std::nullopt;
}

}  // namespace

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return LowerCase(x) == LowerCase(y);
         });
}

std::string ToLower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), LowerCase);
  return lower;
}

std::string_view TrimWhitespace(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "-.!%*_+`'~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return IsAlphanumeric(c) || kMarks.find(c) != std::string_view::npos;
  });
}

std::optional<uint64_t> ParseDigits(std::string_view text, uint64_t limit) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), IsDigit)) return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value > limit) return std::nullopt;
  return value;
}

std::string Unfold(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '\r' && value[i] != '\n') {
      out.push_back(value[i]);
      continue;
    }
    while (i + 1 < value.size() && IsSpace(value[i + 1])) ++i;
    out.push_back(' ');
  }
  return out;
}

std::vector<std::string_view> SplitOutsideQuotes(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  size_t start = 0;
  bool in_brackets = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      const size_t after = SkipQuoted(text, i);
      if (after == std::string_view::npos) break;
      i = after - 1;
    } else if (c == '<') {
      in_brackets = true;
    } else if (c == '>') {
      in_brackets = false;
    } else if (c == separator && !in_brackets) {
      pieces.push_back(TrimWhitespace(text.substr(start, i - start)));
      start = i + 1;
    }
  }
  pieces.push_back(TrimWhitespace(text.substr(start)));
  return pieces;
}

std::optional<std::string_view> FindParameter(std::string_view parameters, std::string_view name) {
  for (const std::string_view piece : SplitOutsideQuotes(parameters, ';')) {
    const size_t equals = piece.find('=');
    if (!EqualsIgnoreCase(TrimWhitespace(piece.substr(0, equals)), name)) continue;
    if (equals == std::string_view::npos) return std::string_view();
    return TrimWhitespace(piece.substr(equals + 1));
  }
  return std::nullopt;
}

size_t CountParameter(std::string_view parameters, std::string_view name) {
  size_t count = 0;
  for (const std::string_view piece : SplitOutsideQuotes(parameters, ';')) {
    count += EqualsIgnoreCase(TrimWhitespace(piece.substr(0, piece.find('='))), name) ? 1 : 0;
  }
  return count;
}

std::optional<NameAddress> ParseNameAddress(std::string_view value) {
  value = TrimWhitespace(value);
  NameAddress out;
  size_t open = 0;
  if (!value.empty() && value.front() == '"') {
    const size_t after = SkipQuoted(value, 0);
    if (after == std::string_view::npos) return std::nullopt;
    out.display = value.substr(1, after - 2);
    open = value.find_first_not_of(" \t\r\n", after);
    if (open == std::string_view::npos || value[open] != '<') return std::nullopt;
  } else {
    open = value.find('<');
    if (open != std::string_view::npos) out.display = TrimWhitespace(value.substr(0, open));
  }
  if (open == std::string_view::npos) {
    // addr-spec without brackets: what follows ';' are header parameters (RFC 3261, 20.10).
    const size_t semicolon = value.find(';');
    out.uri = TrimWhitespace(value.substr(0, semicolon));
    if (semicolon != std::string_view::npos) out.parameters = value.substr(semicolon);
  } else {
    const size_t close = value.find('>', open);
    if (close == std::string_view::npos) return std::nullopt;
    out.bracketed = true;
    out.uri = value.substr(open + 1, close - open - 1);
    out.parameters = TrimWhitespace(value.substr(close + 1));
    if (!out.parameters.empty() && out.parameters.front() != ';') return std::nullopt;
  }
  if (out.uri.empty()) return std::nullopt;
  return out;
}

std::string UriScheme(std::string_view uri) {
  const size_t colon = uri.find(':');
  if (colon == std::string_view::npos || colon == 0) return "";
  const std::string_view scheme = uri.substr(0, colon);
  const bool plausible =
      !IsDigit(scheme.front()) && std::all_of(scheme.begin(), scheme.end(), [](char c) {
        return IsAlphanumeric(c) || c == '+' || c == '-' || c == '.';
      });
  return plausible ? ToLower(scheme) : "";
}

std::optional<std::string> RequestUriDefect(std::string_view uri) {
  if (uri.find_first_of(" \t<>\"") != std::string_view::npos) {
    return "Request-URI with white space, quotes or angle brackets";
  }
  const std::string scheme = UriScheme(uri);
  if (scheme.empty()) return "Request-URI without a scheme";
  if (scheme != "sip" && scheme != "sips") return std::nullopt;
  std::string_view rest = uri.substr(scheme.size() + 1);
  // The user part may hold ';', '?' and ':' (RFC 4475, 3.1.1.9), so it goes first.
  const size_t at = rest.rfind('@');
  if (at == 0) return "Request-URI with an empty user";
  if (at != std::string_view::npos) rest.remove_prefix(at + 1);
  if (rest.find('?') != std::string_view::npos) {
    return "Request-URI with header fields (RFC 3261, 19.1.1)";
  }
  if (auto defect = HostPortDefect(rest.substr(0, rest.find(';')))) {
    return "Request-URI: " + *defect;
  }
  return std::nullopt;
}

}  // namespace stem
