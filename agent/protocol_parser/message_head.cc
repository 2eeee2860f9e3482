// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/message_head.h"

#include <algorithm>

#include "agent/protocol_parser/sip_grammar.h"
#include "fmt/format.h"

namespace stem {
namespace {

struct KnownName {
  std::string_view name;
  std::string_view compact;
  HeaderName id;
};
constexpr KnownName kKnownNames[] = {
    {"via", "v", HeaderName::kVia},
    {"from", "f", HeaderName::kFrom},
    {"to", "t", HeaderName::kTo},
    {"call-id", "i", HeaderName::kCallId},
    {"cseq", "", HeaderName::kCSeq},
    {"contact", "m", HeaderName::kContact},
    {"content-encoding", "e", HeaderName::kContentEncoding},
    {"content-length", "l", HeaderName::kContentLength},
    {"content-type", "c", HeaderName::kContentType},
    {"max-forwards", "", HeaderName::kMaxForwards},
    {"record-route", "", HeaderName::kRecordRoute},
    {"route", "", HeaderName::kRoute},
    {"user-agent", "", HeaderName::kUserAgent},
};

HeaderName Identify(std::string_view written) {
  for (const KnownName& known : kKnownNames) {
    if (EqualsIgnoreCase(written, known.name) ||
        (!known.compact.empty() && EqualsIgnoreCase(written, known.compact))) {
      return known.id;
    }
  }
  return HeaderName::kOther;
}

void Note(MessageHead& head, int status, std::string why) {
  if (!head.defect) head.defect = MessageDefect{status, std::move(why)};
}

bool IsSipVersion(std::string_view version) {
  constexpr std::string_view kProtocol = "SIP/";
  if (version.size() <= kProtocol.size()) return false;
  if (!EqualsIgnoreCase(version.substr(0, kProtocol.size()), kProtocol)) return false;
  const std::string_view number = version.substr(kProtocol.size());
  const size_t dot = number.find('.');
  return dot != std::string_view::npos && ParseDigits(number.substr(0, dot), UINT32_MAX) &&
         ParseDigits(number.substr(dot + 1), UINT32_MAX);
}

void ReadStatusLine(std::string_view line, MessageHead& head) {
  head.kind = MessageHead::Kind::kResponse;
  const size_t first = line.find(' ');
  const size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (!EqualsIgnoreCase(line.substr(0, first), "SIP/2.0")) {
    return Note(head, 505, "SIP version other than 2.0");
  }
  // RFC 3261, 25.1: the space after the code stands even when the phrase is empty.
  if (second == std::string_view::npos) return Note(head, 400, "status line without its parts");
  const std::string_view code = line.substr(first + 1, second - first - 1);
  const auto status = ParseDigits(code, 699);
  if (code.size() != 3 || !status || *status < 100) {
    return Note(head, 400, "status code that is not 100 to 699");
  }
  head.status = static_cast<int>(*status);
  head.reason_phrase = line.substr(second + 1);
}

void ReadRequestLine(std::string_view line, MessageHead& head) {
  head.kind = MessageHead::Kind::kRequest;
  const std::string_view trimmed = TrimWhitespace(line);
  const size_t first = trimmed.find(' ');
  const size_t last = trimmed.rfind(' ');
  head.method = trimmed.substr(0, first);
  head.request_uri = first < last ? trimmed.substr(first + 1, last - first - 1) : "";
  const std::string_view version = trimmed.substr(last + 1);
  if (trimmed.size() != line.size()) Note(head, 400, "white space around the request line");
  if (!IsToken(head.method)) Note(head, 400, "method that is not a token");
  if (!EqualsIgnoreCase(version, "SIP/2.0")) Note(head, 505, "SIP version other than 2.0");
  if (auto defect = RequestUriDefect(head.request_uri)) Note(head, 400, *std::move(defect));
}

void ReadStartLine(std::string_view line, MessageHead& head) {
  if (EqualsIgnoreCase(line.substr(0, 4), "SIP/")) return ReadStatusLine(line, head);
  const std::string_view trimmed = TrimWhitespace(line);
  const size_t last = trimmed.rfind(' ');
  if (last != std::string_view::npos && IsSipVersion(trimmed.substr(last + 1))) {
    ReadRequestLine(line, head);
  }
}

void ReadField(std::string_view line, MessageHead& head) {
  const size_t colon = line.find(':');
  const std::string_view name = TrimWhitespace(line.substr(0, colon));
  if (colon == std::string_view::npos || !IsToken(name)) {
    return Note(head, 400, "header line without a name and a colon");
  }
  head.fields.push_back({Identify(name), name, TrimWhitespace(line.substr(colon + 1))});
}

// End of the logical line at `start`, folds included: position of its CRLF, or npos.
size_t EndOfLine(std::string_view text, size_t start, bool may_fold) {
  size_t end = text.find("\r\n", start);
  while (may_fold && end != std::string_view::npos && end + 2 < text.size() &&
         (text[end + 2] == ' ' || text[end + 2] == '\t')) {
    end = text.find("\r\n", end + 2);
  }
  return end;
}

// A CR or LF that is not part of a CRLF: some parsers end a line there and some do not.
bool HasLoneLineEnd(std::string_view head) {
  for (size_t i = 0; i < head.size(); ++i) {
    if (head[i] == '\r') {
      if (i + 1 == head.size() || head[i + 1] != '\n') return true;
      ++i;
    } else if (head[i] == '\n') {
      return true;
    }
  }
  return false;
}

// Control characters may stand only inside quoted strings, as quoted pairs (RFC 3261, 25.1).
bool HasLooseControl(std::string_view value) {
  bool quoted = false;
  for (size_t i = 0; i < value.size(); ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f) {
      return true;
    }
  }
  return false;
}

}  // namespace

MessageHead MessageHead::Read(std::string_view text) {
  MessageHead head;
  head.start_offset = std::min(text.find_first_not_of("\r\n"), text.size());
  head.body_offset = text.size();
  if (text.find_first_not_of(std::string_view("\r\n \t\0", 5)) == std::string_view::npos) {
    head.kind = Kind::kKeepalive;
    return head;
  }
  size_t at = head.start_offset;
  size_t end = EndOfLine(text, at, /*may_fold=*/false);
  const std::string_view start_line =
      text.substr(at, end == std::string_view::npos ? end : end - at);
  ReadStartLine(start_line, head);
  if (head.kind == Kind::kNotSip) return head;
  if (HasLooseControl(start_line)) Note(head, 400, "control characters in the start line");
  while (end != std::string_view::npos) {
    at = end + 2;
    if (text.substr(at, 2) == "\r\n") {
      head.body_offset = at + 2;
      break;
    }
    end = EndOfLine(text, at, /*may_fold=*/true);
    const std::string_view line = text.substr(at, end == std::string_view::npos ? end : end - at);
    if (head.fields.size() == kMostHeaderFields) {
      Note(head, 400, fmt::format("more than {} header fields", kMostHeaderFields));
      return head;
    }
    if (!line.empty()) ReadField(line, head);
    if (HasLooseControl(line)) Note(head, 400, "control characters in a header field");
  }
  if (end == std::string_view::npos) Note(head, 400, "no empty line after the header fields");
  if (HasLoneLineEnd(text.substr(head.start_offset, head.body_offset - head.start_offset))) {
    Note(head, 400, "CR or LF that is not a line end");
  }
  return head;
}

const HeaderField* MessageHead::Find(HeaderName name) const {
  for (const HeaderField& field : fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

size_t MessageHead::Count(HeaderName name) const {
  return static_cast<size_t>(
      std::count_if(fields.begin(), fields.end(),
                    [name](const HeaderField& field) { return field.name == name; }));
}

}  // namespace stem
