// SPDX-License-Identifier: Apache-2.0
// A SIP message's start line and header fields as they stand on the wire, before any judgement
// about their content: what screening looks at, and what an answer is copied from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem {

// The header fields the firewall looks at, compact forms included (RFC 3261, 7.3.3).
enum class HeaderName : uint8_t {
  kOther,
  kVia,
  kFrom,
  kTo,
  kCallId,
  kCSeq,
  kContact,
  kContentEncoding,
  kContentLength,
  kContentType,
  kMaxForwards,
  kRecordRoute,
  kRoute,
  kUserAgent,
};

struct HeaderField {
  HeaderName name = HeaderName::kOther;
  std::string_view written_name;
  std::string_view value;  // trimmed, folds still inside
};

// Something RFC 3261 forbids, with the status a server answers.
struct MessageDefect {
  int status = 400;
  std::string why;
};

// Views into the text it was read from, which must outlive it.
struct MessageHead {
  enum class Kind : uint8_t { kRequest, kResponse, kKeepalive, kNotSip };

  // Reads the head of the message at the start of `text`. Never fails: what is wrong is in
  // `defect` (the first thing found), and what could be read is there all the same, so that an
  // answer can be made from it. Lines end with CRLF and nothing else; line ends before the start
  // line are skipped (RFC 3261, 7.5).
  static MessageHead Read(std::string_view text);

  // First field of that name, nullptr when there is none.
  const HeaderField* Find(HeaderName name) const;
  size_t Count(HeaderName name) const;

  Kind kind = Kind::kNotSip;
  std::string_view method;         // requests
  std::string_view request_uri;    // requests
  int status = 0;                  // responses
  std::string_view reason_phrase;  // responses
  std::vector<HeaderField> fields;
  size_t start_offset = 0;  // of the start line
  size_t body_offset = 0;   // after the empty line; the text's size when that is missing
  std::optional<MessageDefect> defect;
};

// More header fields than this in one message are refused. Longer lists serve only to keep a
// parser busy: Max-Forwards keeps the longest field, Via, near 70.
inline constexpr size_t kMostHeaderFields = 256;

}  // namespace stem
