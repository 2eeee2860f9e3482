// SPDX-License-Identifier: Apache-2.0
// One SIP message that passed screening: what osip2 and the firewall's own reading make of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/protocol_parser/message_head.h"

struct osip_message;

namespace stem {

// From or To (RFC 3261, 20.20 and 20.39).
struct SipParty {
  std::string_view uri;
  std::string_view display;  // without quotes
  std::string tag;           // as an Identifier; empty when there is none
};

// A Call-ID or tag as calls are known by it, in memory and in their records: the text itself, or
// when that has more than `longest` bytes, "sha256 " and its digest, which no Call-ID or tag can be
// mistaken for because they hold no spaces. RFC 3261 sets no limit; a record has one.
std::string Identifier(std::string_view text, size_t longest);
std::string CallIdIdentifier(std::string_view call_id);

// Holds views: the text it was parsed from must outlive it and stay where it is.
class SipMessage {
 public:
  // `text` is the message from its start line to the end of its body, `head` what was read from
  // it, free of defects. INVALID_ARGUMENT when a header field that matters cannot be read, by us
  // or by osip2; the status' text says which.
  static absl::StatusOr<SipMessage> Parse(std::string_view text, MessageHead head);

  bool is_request() const { return head_.kind == MessageHead::Kind::kRequest; }
  std::string_view method() const { return head_.method; }            // requests
  std::string_view request_uri() const { return head_.request_uri; }  // requests
  int status() const { return head_.status; }                         // responses
  std::string_view reason_phrase() const { return head_.reason_phrase; }
  const std::string& call_id() const { return call_id_; }  // as an Identifier
  const SipParty& from() const { return from_; }
  const SipParty& to() const { return to_; }
  uint32_t cseq() const { return cseq_; }
  std::string_view cseq_method() const { return cseq_method_; }
  // Top Via (RFC 3261, 20.42). Empty for the RFC 2543 elements that send none.
  std::string_view branch() const { return branch_; }
  // Host in lower case and port, 5060 unless written.
  const std::string& sent_by() const { return sent_by_; }
  std::string_view content_type() const { return content_type_; }  // empty without one
  std::string_view body() const { return body_; }
  std::string_view user_agent() const { return user_agent_; }
  bool content_encoded() const { return content_encoded_; }
  const MessageHead& head() const { return head_; }

  // "INVITE sip:bob@example.org", "200 OK (INVITE)"; long ones are cut.
  std::string Summary() const;

 private:
  struct OsipFree {
    void operator()(osip_message* message) const;
  };
  SipMessage() = default;
  absl::Status ReadFields();
  absl::Status ReadByOsip();

  MessageHead head_;
  std::unique_ptr<osip_message, OsipFree> osip_;
  // Unfolded copies that the views below point into; on the heap so that moving keeps them valid.
  std::unique_ptr<std::string> from_text_ = std::make_unique<std::string>();
  std::unique_ptr<std::string> to_text_ = std::make_unique<std::string>();
  SipParty from_;
  SipParty to_;
  std::string call_id_;
  uint32_t cseq_ = 0;
  std::string_view cseq_method_;
  std::string_view branch_;
  std::string sent_by_;
  std::string_view content_type_;
  std::string_view user_agent_;
  std::string_view body_;
  bool content_encoded_ = false;
};

}  // namespace stem
