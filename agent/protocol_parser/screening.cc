// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/screening.h"

#include <limits>

#include "agent/protocol_parser/sip_grammar.h"
#include "fmt/format.h"

namespace stem {
namespace {

struct SingleField {
  HeaderName name;
  std::string_view text;
  bool mandatory;  // RFC 3261, 8.1.1; Max-Forwards is not, for RFC 2543's sake
};
constexpr SingleField kSingleFields[] = {
    {HeaderName::kFrom, "From", true},
    {HeaderName::kTo, "To", true},
    {HeaderName::kCallId, "Call-ID", true},
    {HeaderName::kCSeq, "CSeq", true},
    {HeaderName::kMaxForwards, "Max-Forwards", false},
    {HeaderName::kContentLength, "Content-Length", false},
    {HeaderName::kContentType, "Content-Type", false},
};

std::optional<std::string> FieldCountDefect(const MessageHead& head) {
  if (head.Find(HeaderName::kVia) == nullptr) return "no Via";
  for (const SingleField& field : kSingleFields) {
    const size_t count = head.Count(field.name);
    if (count == 0 && field.mandatory) return fmt::format("no {}", field.text);
    if (count > 1) return fmt::format("{} {} fields, one is allowed", count, field.text);
  }
  if (const HeaderField* hops = head.Find(HeaderName::kMaxForwards)) {
    if (!ParseDigits(hops->value, 255)) return "Max-Forwards that is not 0 to 255";
  }
  return std::nullopt;
}

// Where the body ends, by Content-Length; the datagram's end without one (RFC 3261, 18.3).
std::optional<std::string> FindEnd(const MessageHead& head, size_t size, size_t& end) {
  end = size;
  const HeaderField* field = head.Find(HeaderName::kContentLength);
  if (field == nullptr) return std::nullopt;
  const std::optional<uint64_t> length =
      ParseDigits(field->value, std::numeric_limits<uint32_t>::max());
  if (!length) return "Content-Length that is not a number";
  if (*length > size - head.body_offset) {
    return fmt::format("Content-Length {}, but the datagram has {} bytes of body", *length,
                       size - head.body_offset);
  }
  end = head.body_offset + static_cast<size_t>(*length);
  return std::nullopt;
}

Screened Refuse(MessageHead head, int status, SipReason reason, std::string why) {
  Screened out;
  // RFC 3261, 8.2.6.2 and 17.1.1.3: a response needs a Via and a CSeq to find its request; an ACK
  // and a response are never answered.
  const HeaderField* cseq = head.Find(HeaderName::kCSeq);
  const bool answerable = head.kind == MessageHead::Kind::kRequest && head.method != "ACK" &&
                          IsToken(head.method) && head.Find(HeaderName::kVia) != nullptr &&
                          cseq != nullptr;
  out.outcome = answerable ? Screened::Outcome::kRefuse : Screened::Outcome::kDrop;
  out.status = status;
  out.reason = reason;
  out.why = std::move(why);
  out.head = std::move(head);
  return out;
}

}  // namespace

Screened Screen(std::string_view payload, const CallLimits& limits) {
  MessageHead head = MessageHead::Read(payload);
  if (head.kind == MessageHead::Kind::kKeepalive || head.kind == MessageHead::Kind::kNotSip) {
    Screened out;
    out.reason =
        head.kind == MessageHead::Kind::kNotSip ? SipReason::not_sip : SipReason::keepalive;
    return out;
  }
  if (head.defect) {
    const MessageDefect defect = *head.defect;
    return Refuse(std::move(head), defect.status,
                  defect.status == 505 ? SipReason::bad_version : SipReason::malformed, defect.why);
  }
  if (payload.size() > limits.message_bytes) {
    return Refuse(std::move(head), 400, SipReason::over_limit,
                  fmt::format("message of {} bytes, at most {} are taken", payload.size(),
                              limits.message_bytes));
  }
  if (auto why = FieldCountDefect(head)) {
    return Refuse(std::move(head), 400, SipReason::malformed, *std::move(why));
  }
  size_t end = 0;
  if (auto why = FindEnd(head, payload.size(), end)) {
    return Refuse(std::move(head), 400, SipReason::malformed, *std::move(why));
  }
  absl::StatusOr<SipMessage> message = SipMessage::Parse(payload.substr(0, end), head);
  if (!message.ok()) {
    const absl::string_view why = message.status().message();
    return Refuse(std::move(head), 400, SipReason::malformed, std::string(why));
  }
  Screened out;
  out.outcome = Screened::Outcome::kOk;
  out.message = *std::move(message);
  out.end = end;
  return out;
}

}  // namespace stem
