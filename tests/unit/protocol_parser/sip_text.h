// SPDX-License-Identifier: Apache-2.0
// SIP messages for tests, written by what matters in them; the rest is filled in and valid.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/address.h"
#include "fmt/format.h"

namespace stem::test {

inline Endpoint At(std::string_view text) { return *Endpoint::Parse(text); }

// One end of calls: where its signalling and media are.
struct Phone {
  std::string uri;
  Endpoint signalling;
  Endpoint media;
};

// An SDP body, stream by stream.
class Sdp {
 public:
  explicit Sdp(const Phone& phone) : Sdp(phone.media) {}
  explicit Sdp(const Endpoint& audio) : address_(audio.address) {
    if (audio.port != 0) Stream("audio", audio.port);
  }

  Sdp& Stream(std::string_view media, unsigned port, std::string_view transport = "RTP/AVP",
              std::string_view formats = "0 8") {
    streams_.push_back(fmt::format("m={} {} {} {}\r\n", media, port, transport, formats));
    return *this;
  }
  // An attribute (or any other line) of the newest stream.
  Sdp& Line(std::string_view line) {
    streams_.back() += fmt::format("{}\r\n", line);
    return *this;
  }
  Sdp& Session(std::string_view line) {
    session_ += fmt::format("{}\r\n", line);
    return *this;
  }
  Sdp& Address(std::string_view address) {
    address_ = *IpAddress::Parse(address);
    return *this;
  }

  std::string Text() const {
    const std::string family = address_.is_v4() ? "IP4" : "IP6";
    std::string text = fmt::format("v=0\r\no=- 1 1 IN {0} {1}\r\ns=-\r\nc=IN {0} {1}\r\nt=0 0\r\n",
                                   family, address_.ToString());
    text += session_;
    for (const std::string& stream : streams_) text += stream;
    return text;
  }

 private:
  IpAddress address_;
  std::string session_;
  std::vector<std::string> streams_;
};

// A message, header field by header field, in the order they are added.
class SipText {
 public:
  static SipText Request(std::string_view method, std::string_view uri) {
    return SipText(fmt::format("{} {} SIP/2.0", method, uri));
  }
  static SipText Response(int status, std::string_view phrase) {
    return SipText(fmt::format("SIP/2.0 {} {}", status, phrase));
  }

  SipText& Field(std::string_view name, std::string_view value) {
    head_ += fmt::format("{}: {}\r\n", name, value);
    return *this;
  }
  SipText& Body(std::string body, std::string type = "application/sdp") {
    body_ = std::move(body);
    type_ = std::move(type);
    return *this;
  }
  std::string Text() const {
    std::string text = start_line_ + "\r\n" + head_;
    if (!body_.empty()) text += fmt::format("Content-Type: {}\r\n", type_);
    return text + fmt::format("Content-Length: {}\r\n\r\n", body_.size()) + body_;
  }

 private:
  explicit SipText(std::string start_line) : start_line_(std::move(start_line)) {}

  std::string start_line_;
  std::string head_;
  std::string body_;
  std::string type_;
};

// A valid request outside any dialog, ready to be spoilt: the text and single replacements.
inline std::string PlainRequest(std::string_view method) {
  return SipText::Request(method, "sip:bob@example.org")
      .Field("Via", "SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK-plain")
      .Field("Max-Forwards", "70")
      .Field("From", "<sip:alice@example.com>;tag=a1")
      .Field("To", "<sip:bob@example.org>")
      .Field("Call-ID", "plain@203.0.113.10")
      .Field("CSeq", fmt::format("1 {}", method))
      .Text();
}

inline std::string Replace(std::string text, std::string_view what, std::string_view with) {
  const size_t at = text.find(what);
  if (at != std::string::npos) text.replace(at, what.size(), with);
  return text;
}

}  // namespace stem::test
