// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/sip_response.h"

#include <algorithm>
#include <optional>

#include "agent/protocol_parser/sip_grammar.h"
#include "fmt/format.h"

namespace stem {
namespace {

struct Phrase {
  int status;
  std::string_view text;
};
constexpr Phrase kPhrases[] = {
    {100, "Trying"},
    {180, "Ringing"},
    {183, "Session Progress"},
    {200, "OK"},
    {202, "Accepted"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Moved Temporarily"},
    {305, "Use Proxy"},
    {380, "Alternative Service"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {410, "Gone"},
    {413, "Request Entity Too Large"},
    {414, "Request-URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Unsupported URI Scheme"},
    {420, "Bad Extension"},
    {421, "Extension Required"},
    {423, "Interval Too Brief"},
    {433, "Anonymity Disallowed"},
    {480, "Temporarily Unavailable"},
    {481, "Call/Transaction Does Not Exist"},
    {482, "Loop Detected"},
    {483, "Too Many Hops"},
    {484, "Address Incomplete"},
    {485, "Ambiguous"},
    {486, "Busy Here"},
    {487, "Request Terminated"},
    {488, "Not Acceptable Here"},
    {491, "Request Pending"},
    {493, "Undecipherable"},
    {500, "Server Internal Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Server Time-out"},
    {505, "Version Not Supported"},
    {513, "Message Too Large"},
    {600, "Busy Everywhere"},
    {603, "Decline"},
    {604, "Does Not Exist Anywhere"},
    {606, "Not Acceptable"},
    {607, "Unwanted"},
    {608, "Rejected"},
};

std::string OneLine(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return line;
}

// Host of "SIP/2.0/UDP host:port;parameters", without brackets.
std::string_view SentByHost(std::string_view via) {
  const std::string_view front = TrimWhitespace(via.substr(0, via.find(';')));
  const size_t space = front.find_last_of(" \t");
  std::string_view host = space == std::string_view::npos ? front : front.substr(space + 1);
  if (!host.empty() && host.front() == '[') return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

// The top Via with what a server adds to it; `value` may hold further Via values after a comma.
std::string TopVia(std::string_view value, const Endpoint& source) {
  const std::string text = OneLine(Unfold(value));
  const std::string_view top = SplitOutsideQuotes(text, ',').front();
  const std::string_view rest(
      top.data() + top.size(),
      static_cast<size_t>(text.data() + text.size() - top.data()) - top.size());
  const std::string address = source.address.ToString();
  std::string out;
  bool asked_for_port = false;
  bool first = true;
  for (const std::string_view piece : SplitOutsideQuotes(top, ';')) {
    const size_t equals = piece.find('=');
    const std::string_view name = TrimWhitespace(piece.substr(0, equals));
    if (!first && EqualsIgnoreCase(name, "received")) continue;  // ours to say, not the client's
    if (!first) out += ';';
    out += piece;
    if (!first && EqualsIgnoreCase(name, "rport") && equals == std::string_view::npos) {
      out += fmt::format("={}", source.port);
      asked_for_port = true;
    }
    first = false;
  }
  if (asked_for_port || !EqualsIgnoreCase(SentByHost(top), address)) {
    out += ";received=" + address;
  }
  out += rest;
  return out;
}

std::string ToWithTag(std::string_view value, std::string_view tag) {
  const std::string text = OneLine(Unfold(value));
  const std::optional<NameAddress> address = ParseNameAddress(text);
  // A To that cannot be read goes back as it came: the client knows what it wrote.
  if (!address || tag.empty() || FindParameter(address->parameters, "tag")) return text;
  return fmt::format("{};tag={}", text, tag);
}

}  // namespace

std::string_view ReasonPhrase(int status) {
  const auto known = std::find_if(std::begin(kPhrases), std::end(kPhrases),
                                  [status](const Phrase& p) { return p.status == status; });
  if (known != std::end(kPhrases)) return known->text;
  // RFC 3261, 8.1.3.2: an unknown status means the same as the x00 of its class.
  switch (status / 100) {
    case 1:
      return "Session Progress";
    case 2:
      return "OK";
    case 3:
      return "Multiple Choices";
    case 5:
      return "Server Internal Error";
    case 6:
      return "Busy Everywhere";
    default:
      return "Bad Request";
  }
}

bool IsContactUri(std::string_view contact) {
  return !UriScheme(contact).empty() &&
         std::all_of(contact.begin(), contact.end(),
                     [](unsigned char c) { return c > 0x20 && c != 0x7f && c != '<' && c != '>'; });
}

std::string BuildResponse(const MessageHead& request, const Endpoint& source,
                          const ResponseSpec& spec) {
  std::string out = fmt::format(
      "SIP/2.0 {} {}\r\n", spec.status,
      spec.reason.empty() ? std::string(ReasonPhrase(spec.status)) : OneLine(spec.reason));
  bool top_via = true;
  for (const HeaderField& field : request.fields) {
    switch (field.name) {
      case HeaderName::kVia:
        out += fmt::format("Via: {}\r\n",
                           top_via ? TopVia(field.value, source) : OneLine(Unfold(field.value)));
        top_via = false;
        break;
      case HeaderName::kTo:
        out += fmt::format("To: {}\r\n", ToWithTag(field.value, spec.to_tag));
        break;
      case HeaderName::kFrom:
      case HeaderName::kCallId:
      case HeaderName::kCSeq:
        out += fmt::format("{}: {}\r\n", field.written_name, OneLine(Unfold(field.value)));
        break;
      default:
        break;
    }
  }
  if (!spec.contact.empty()) out += fmt::format("Contact: <{}>\r\n", OneLine(spec.contact));
  if (spec.retry_after > 0) out += fmt::format("Retry-After: {}\r\n", spec.retry_after);
  out += "Content-Length: 0\r\n\r\n";
  return out;
}

}  // namespace stem
