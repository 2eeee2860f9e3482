// SPDX-License-Identifier: Apache-2.0
// Finding the session description in a body of several parts (RFC 2046, 5.1; RFC 5621). osip2 is
// not asked: its multipart reader has an integer overflow in this version (CVE-2022-41550).
#include <algorithm>

#include "agent/protocol_parser/session_description.h"
#include "agent/protocol_parser/sip_grammar.h"

namespace stem {
namespace {

constexpr int kDeepestPart = 3;
constexpr int kMostParts = 32;

// Content-Type of a part; text/plain is RFC 2046's default.
std::string_view PartType(std::string_view head) {
  constexpr std::string_view kName = "content-type:";
  while (!head.empty()) {
    const size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    if (EqualsIgnoreCase(line.substr(0, kName.size()), kName)) {
      return TrimWhitespace(line.substr(kName.size()));
    }
    head.remove_prefix(std::min(end + 2, head.size()));
  }
  return "text/plain";
}

std::optional<std::string_view> FindSdpAt(std::string_view content_type, std::string_view body,
                                          int depth);

std::optional<std::string_view> FindInParts(std::string_view boundary, std::string_view body,
                                            int depth) {
  const std::string delimiter = "--" + std::string(boundary);
  size_t at = body.substr(0, delimiter.size()) == delimiter ? 0 : body.find("\r\n" + delimiter);
  for (int part = 0; part < kMostParts && at != std::string_view::npos; ++part) {
    at = body.find(delimiter, at) + delimiter.size();
    if (body.substr(at, 2) == "--") return std::nullopt;
    const size_t line_end = body.find("\r\n", at);
    if (line_end == std::string_view::npos) return std::nullopt;
    const size_t next = body.find("\r\n" + delimiter, line_end);
    if (next == std::string_view::npos) return std::nullopt;
    const size_t start = std::min(line_end + 2, next);
    const std::string_view whole = body.substr(start, next - start);
    const size_t empty_line = whole.substr(0, 2) == "\r\n" ? 0 : whole.find("\r\n\r\n");
    if (empty_line != std::string_view::npos) {
      const std::string_view head = whole.substr(0, empty_line);
      const std::string_view content = whole.substr(empty_line + (head.empty() ? 2 : 4));
      if (auto sdp = FindSdpAt(PartType(head), content, depth + 1)) return sdp;
    }
    at = next;
  }
  return std::nullopt;
}

std::optional<std::string_view> FindSdpAt(std::string_view content_type, std::string_view body,
                                          int depth) {
  const size_t semicolon = content_type.find(';');
  const std::string_view type = TrimWhitespace(content_type.substr(0, semicolon));
  if (EqualsIgnoreCase(type, "application/sdp")) {
    return TrimWhitespace(body).empty() ? std::nullopt : std::optional(body);
  }
  if (depth == kDeepestPart || semicolon == std::string_view::npos ||
      !EqualsIgnoreCase(type.substr(0, 10), "multipart/")) {
    return std::nullopt;
  }
  std::optional<std::string_view> boundary =
      FindParameter(content_type.substr(semicolon), "boundary");
  if (!boundary) return std::nullopt;
  if (boundary->size() >= 2 && boundary->front() == '"' && boundary->back() == '"') {
    boundary = boundary->substr(1, boundary->size() - 2);
  }
  if (boundary->empty()) return std::nullopt;
  return FindInParts(*boundary, body, depth);
}

}  // namespace

std::optional<std::string_view> FindSdp(std::string_view content_type, std::string_view body) {
  return FindSdpAt(content_type, body, 0);
}

}  // namespace stem
