// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/sip_message.h"

#include <openssl/sha.h>
#include <osipparser2/osip_message.h>
#include <osipparser2/osip_parser.h>
#include <osipparser2/osip_port.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "agent/protocol_parser/sip_grammar.h"
#include "bpf/stem_abi.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace stem {
namespace {

constexpr uint64_t kHighestCSeq = (uint64_t{1} << 31) - 1;  // RFC 3261, 8.1.1.5
// osip2 keeps parameters and list values in linked lists it walks from the start for every
// insertion: without a bound a 64 KiB header field would keep it busy for seconds.
constexpr std::ptrdiff_t kMostSeparators = 2048;
constexpr size_t kSummaryLength = 120;

absl::Status Malformed(std::string_view what) {
  return absl::InvalidArgumentError(absl::string_view(what.data(), what.size()));
}

void LogOsip(const char* file, int line, osip_trace_level_t level, const char* format,
             va_list arguments) {
  if (level > OSIP_BUG) return;
  char text[256];
  if (std::vsnprintf(text, sizeof(text), format, arguments) < 0) return;
  spdlog::error("osip2, {} line {}: {}", file, line, text);
}

void InitialiseOsip() {
  static const bool done = [] {
    parser_init();
    // By default it writes its opinion of every malformed message to the terminal; screening says
    // that once, in words. What is left is a bug of osip2 or no memory.
    osip_trace_initialize_func(OSIP_BUG, LogOsip);
    return true;
  }();
  static_cast<void>(done);
}

// The fields osip2 is asked about. Others cannot change what the firewall does, and are not
// offered: what osip2 thinks of a Date or an Authorization must not lose a call.
bool GoesToOsip(HeaderName name) {
  switch (name) {
    case HeaderName::kVia:
    case HeaderName::kFrom:
    case HeaderName::kTo:
    case HeaderName::kCallId:
    case HeaderName::kCSeq:
    case HeaderName::kContact:
    case HeaderName::kRoute:
    case HeaderName::kRecordRoute:
      return true;
    default:
      return false;
  }
}

// osip2 works on C strings and refuses control characters, which may stand as quoted pairs
// (RFC 4475, 3.1.1.2). It sees a letter instead; the message itself is forwarded as it came.
std::string Printable(std::string_view value) {
  std::string text = Unfold(value);
  std::replace_if(
      text.begin(), text.end(),
      [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; }, 'x');
  return text;
}

// The head as osip2 is given it: no body, no Content-Length, nothing folded, and a stand-in for
// Request-URIs whose scheme is not SIP's, because osip2 refuses some valid ones (RFC 4475, 3.3.3).
std::string TextForOsip(const MessageHead& head) {
  std::string text;
  if (head.kind == MessageHead::Kind::kRequest) {
    const std::string scheme = UriScheme(head.request_uri);
    const bool sip = scheme == "sip" || scheme == "sips";
    text = fmt::format("{} {} SIP/2.0\r\n", head.method,
                       sip ? head.request_uri : "sip:other-scheme.invalid");
  } else {
    text = fmt::format("SIP/2.0 {} -\r\n", head.status);
  }
  for (const HeaderField& field : head.fields) {
    if (GoesToOsip(field.name)) {
      text += fmt::format("{}: {}\r\n", field.written_name, Printable(field.value));
    }
  }
  text += "\r\n";
  return text;
}

absl::Status ReadParty(const HeaderField* field, std::string_view name, std::string& text,
                       SipParty& party) {
  if (field == nullptr) return Malformed(fmt::format("no {}", name));
  text = Unfold(field->value);
  const std::optional<NameAddress> address = ParseNameAddress(text);
  if (!address) return Malformed(fmt::format("{} that is no address", name));
  if (address->uri.find_first_of(" \t") != std::string_view::npos ||
      (!address->bracketed && address->uri.find_first_of("?,") != std::string_view::npos)) {
    return Malformed(fmt::format("{} with a URI that needs angle brackets or has spaces", name));
  }
  party.uri = address->uri;
  party.display = address->display;
  const std::optional<std::string_view> tag = FindParameter(address->parameters, "tag");
  if (!tag) return absl::OkStatus();
  if (!IsToken(*tag)) return Malformed(fmt::format("{} tag that is not a token", name));
  if (CountParameter(address->parameters, "tag") > 1) {
    return Malformed(fmt::format("{} with two tags", name));
  }
  party.tag = Identifier(*tag, STEM_TAG_MAX - 1);
  return absl::OkStatus();
}

absl::Status CheckContact(std::string_view value) {
  const std::string text = Unfold(value);
  for (const std::string_view contact : SplitOutsideQuotes(text, ',')) {
    if (contact == "*") continue;
    const std::optional<NameAddress> address = ParseNameAddress(contact);
    if (!address) return Malformed("Contact that is no address");
    if (!address->bracketed && address->uri.find('?') != std::string_view::npos) {
      return Malformed("Contact with a URI that needs angle brackets (RFC 3261, 20.10)");
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string Identifier(std::string_view text, size_t longest) {
  if (text.size() <= longest) return std::string(text);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::string out = "sha256 ";
  for (const unsigned char byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}

std::string CallIdIdentifier(std::string_view call_id) {
  return Identifier(call_id, STEM_CALL_ID_MAX - 1);
}

void SipMessage::OsipFree::operator()(osip_message* message) const { osip_message_free(message); }

absl::StatusOr<SipMessage> SipMessage::Parse(std::string_view text, MessageHead head) {
  SipMessage message;
  message.body_ = text.substr(std::min(head.body_offset, text.size()));
  message.head_ = std::move(head);
  RETURN_IF_ERROR(message.ReadFields());
  RETURN_IF_ERROR(message.ReadByOsip());
  return message;
}

absl::Status SipMessage::ReadFields() {
  std::ptrdiff_t separators = 0;
  for (const HeaderField& field : head_.fields) {
    if (!GoesToOsip(field.name)) continue;
    separators += std::count_if(field.value.begin(), field.value.end(),
                                [](char c) { return c == ';' || c == ','; });
  }
  if (separators > kMostSeparators) {
    return Malformed(fmt::format("more than {} parameters and list values", kMostSeparators));
  }
  RETURN_IF_ERROR(ReadParty(head_.Find(HeaderName::kFrom), "From", *from_text_, from_));
  RETURN_IF_ERROR(ReadParty(head_.Find(HeaderName::kTo), "To", *to_text_, to_));
  const HeaderField* call_id = head_.Find(HeaderName::kCallId);
  if (call_id == nullptr || call_id->value.empty()) return Malformed("no Call-ID");
  if (call_id->value.find_first_of(" \t\r\n") != std::string_view::npos) {
    return Malformed("Call-ID with white space");
  }
  call_id_ = CallIdIdentifier(call_id->value);
  const HeaderField* cseq = head_.Find(HeaderName::kCSeq);
  if (cseq == nullptr) return Malformed("no CSeq");
  const size_t space = cseq->value.find_first_of(" \t\r\n");
  const std::optional<uint64_t> number = ParseDigits(cseq->value.substr(0, space), kHighestCSeq);
  if (!number) return Malformed("CSeq number that is not 0 to 2^31-1 (RFC 3261, 8.1.1.5)");
  if (space == std::string_view::npos) return Malformed("CSeq without a method");
  cseq_ = static_cast<uint32_t>(*number);
  cseq_method_ = TrimWhitespace(cseq->value.substr(space));
  if (!IsToken(cseq_method_)) return Malformed("CSeq method that is not a token");
  if (is_request() && cseq_method_ != head_.method) {
    return Malformed("CSeq method that is not the request's");
  }
  for (const HeaderField& field : head_.fields) {
    if (field.name == HeaderName::kContact) RETURN_IF_ERROR(CheckContact(field.value));
  }
  if (const HeaderField* type = head_.Find(HeaderName::kContentType)) content_type_ = type->value;
  if (const HeaderField* agent = head_.Find(HeaderName::kUserAgent)) user_agent_ = agent->value;
  content_encoded_ = head_.Find(HeaderName::kContentEncoding) != nullptr;
  return absl::OkStatus();
}

absl::Status SipMessage::ReadByOsip() {
  InitialiseOsip();
  const std::string text = TextForOsip(head_);
  osip_message_t* raw = nullptr;
  if (osip_message_init(&raw) != 0) return absl::ResourceExhaustedError("osip2: no memory");
  osip_.reset(raw);
  const int error = osip_message_parse(raw, text.data(), text.size());
  if (error != 0) return Malformed(fmt::format("osip2: {}", osip_strerror(error)));
  const auto* via = static_cast<const osip_via_t*>(osip_list_get(&raw->vias, 0));
  if (via == nullptr || via->host == nullptr) return Malformed("no Via");
  uint64_t port = 5060;
  if (via->port != nullptr) {
    const std::optional<uint64_t> written = ParseDigits(via->port, 65535);
    if (!written) return Malformed("Via with a port that is not 0 to 65535");
    port = *written;
  }
  sent_by_ = fmt::format("{}:{}", ToLower(via->host), port);
  int branches = 0;
  osip_list_iterator_t at;
  for (auto* element = osip_list_get_first(&via->via_params, &at); osip_list_iterator_has_elem(at);
       element = osip_list_get_next(&at)) {
    const auto* parameter = static_cast<const osip_generic_param_t*>(element);
    if (!EqualsIgnoreCase(parameter->gname, "branch")) continue;
    ++branches;
    if (parameter->gvalue != nullptr) branch_ = parameter->gvalue;
  }
  if (branches > 1) return Malformed("Via with two branches");
  return absl::OkStatus();
}

std::string SipMessage::Summary() const {
  std::string text = is_request()
                         ? fmt::format("{} {}", method(), request_uri())
                         : fmt::format("{} {} ({})", status(), reason_phrase(), cseq_method());
  if (text.size() > kSummaryLength) {
    text.resize(kSummaryLength);
    text += "...";
  }
  return text;
}

}  // namespace stem
