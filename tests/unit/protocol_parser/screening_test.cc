// SPDX-License-Identifier: Apache-2.0
// What screening lets through, refuses and drops.
#include "agent/protocol_parser/screening.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bpf/stem_abi.h"
#include "tests/unit/protocol_parser/sip_text.h"

namespace stem::test {
namespace {

using testing::HasSubstr;

std::string Ok(std::string_view method = "OPTIONS") { return PlainRequest(method); }
std::string Response() {
  return SipText::Response(200, "OK")
      .Field("Via", "SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK-plain")
      .Field("From", "<sip:alice@example.com>;tag=a1")
      .Field("To", "<sip:bob@example.org>;tag=b1")
      .Field("Call-ID", "plain@203.0.113.10")
      .Field("CSeq", "1 OPTIONS")
      .Text();
}

struct Case {
  const char* name;
  std::string text;
  Screened::Outcome outcome;
  int status = 0;        // kRefuse
  const char* why = "";  // kRefuse and kDrop: part of it
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

constexpr auto kOk = Screened::Outcome::kOk;
constexpr auto kRefuse = Screened::Outcome::kRefuse;
constexpr auto kDrop = Screened::Outcome::kDrop;

class Screening : public testing::TestWithParam<Case> {};

TEST_P(Screening, JudgesAsRfc3261Asks) {
  const Case& c = GetParam();
  const Screened screened = Screen(c.text, CallLimits());
  EXPECT_EQ(screened.outcome, c.outcome) << screened.why << "\n" << c.text;
  if (c.outcome == kRefuse) {
    EXPECT_EQ(screened.status, c.status) << screened.why;
  }
  EXPECT_THAT(screened.why, HasSubstr(c.why));
  EXPECT_EQ(screened.message.has_value(), c.outcome == kOk);
}

std::vector<Case> Cases() {
  return {
      {"request", Ok(), kOk},
      {"response", Response(), kOk},
      {"compact_names",
       Replace(Replace(Replace(Ok(), "Via:", "v:"), "Call-ID:", "i:"), "From:", "f:"), kOk},
      {"names_in_any_case", Replace(Replace(Ok(), "CSeq:", "cSEQ:"), "To:", "TO :"), kOk},
      {"folded", Replace(Ok(), "From: <", "From:\r\n  <"), kOk},
      {"line_ends_before_it", "\r\n\r\n" + Ok(), kOk},
      {"no_max_forwards", Replace(Ok(), "Max-Forwards: 70\r\n", ""), kOk},
      {"no_content_length", Replace(Ok(), "Content-Length: 0\r\n", ""), kOk},
      {"bytes_after_it", Ok() + "noise", kOk},
      {"other_scheme", Replace(Ok(), "sip:bob@example.org SIP", "soap.beep://192.0.2.1:3 SIP"),
       kOk},
      {"tel_scheme", Replace(Ok(), "sip:bob@example.org SIP", "tel:+4989123 SIP"), kOk},
      {"ipv6_uri", Replace(Ok(), "sip:bob@example.org SIP", "sip:b@[2001:db8::1]:5060 SIP"), kOk},
      {"quoted_control",
       Replace(Ok(), "To: <",
               "To: \"a\\\x07"
               "b\" <"),
       kOk},
      {"long_call_id", Replace(Ok(), "plain@", std::string(1000, 'x') + "@"), kOk},
      {"long_tag", Replace(Ok(), "tag=a1", "tag=" + std::string(1000, 'x')), kOk},
      {"contact_star", Replace(Ok("REGISTER"), "CSeq", "Contact: *\r\nCSeq"), kOk},

      {"version_7", Replace(Ok(), "SIP/2.0\r\nVia", "SIP/7.0\r\nVia"), kRefuse, 505, "version"},
      {"space_in_uri", Replace(Ok(), "bob@example.org SIP", "bob@example.org;a b SIP"), kRefuse,
       400, "white space"},
      {"brackets_around_uri", Replace(Ok(), "sip:bob@example.org SIP", "<sip:bob@a.org> SIP"),
       kRefuse, 400, "angle brackets"},
      {"headers_in_uri", Replace(Ok(), "bob@example.org SIP", "bob@example.org?Route=x SIP"),
       kRefuse, 400, "header fields"},
      {"bare_ipv6_uri", Replace(Ok(), "bob@example.org SIP", "2001:db8::10 SIP"), kRefuse, 400,
       "not a host"},
      {"uri_port", Replace(Ok(), "bob@example.org SIP", "bob@example.org:99999 SIP"), kRefuse, 400,
       "port"},
      {"no_scheme", Replace(Ok(), "sip:bob@example.org SIP", "bob SIP"), kRefuse, 400, "scheme"},
      {"two_spaces", Replace(Ok(), "OPTIONS sip:", "OPTIONS  sip:"), kRefuse, 400, ""},
      {"space_at_end", Replace(Ok(), "SIP/2.0\r\nVia", "SIP/2.0 \r\nVia"), kRefuse, 400, "around"},
      {"no_from", Replace(Ok(), "From: <sip:alice@example.com>;tag=a1\r\n", ""), kRefuse, 400,
       "no From"},
      {"no_to", Replace(Ok(), "To: <sip:bob@example.org>\r\n", ""), kRefuse, 400, "no To"},
      {"no_call_id", Replace(Ok(), "Call-ID: plain@203.0.113.10\r\n", ""), kRefuse, 400,
       "no Call-ID"},
      {"two_call_ids", Replace(Ok(), "CSeq:", "i: other\r\nCSeq:"), kRefuse, 400, "2 Call-ID"},
      {"two_froms", Replace(Ok(), "CSeq:", "f: <sip:eve@a.org>;tag=e\r\nCSeq:"), kRefuse, 400,
       "2 From"},
      {"two_lengths", Replace(Ok(), "Content-Length: 0", "Content-Length: 0\r\nl: 0"), kRefuse, 400,
       "2 Content-Length"},
      {"two_cseqs", Replace(Ok(), "CSeq:", "CSeq: 2 OPTIONS\r\nCSeq:"), kRefuse, 400, "2 CSeq"},
      {"cseq_too_large", Replace(Ok(), "CSeq: 1 ", "CSeq: 2147483648 "), kRefuse, 400, "2^31"},
      {"cseq_huge", Replace(Ok(), "CSeq: 1 ", "CSeq: 36893488147419103232 "), kRefuse, 400, "2^31"},
      {"cseq_negative", Replace(Ok(), "CSeq: 1 ", "CSeq: -1 "), kRefuse, 400, "2^31"},
      {"cseq_no_method", Replace(Ok(), "CSeq: 1 OPTIONS", "CSeq: 1"), kRefuse, 400, "method"},
      {"cseq_method", Replace(Ok(), "1 OPTIONS", "1 INVITE"), kRefuse, 400, "request's"},
      {"length_too_large", Replace(Ok(), "Content-Length: 0", "Content-Length: 1"), kRefuse, 400,
       "0 bytes of body"},
      {"length_negative", Replace(Ok(), "Content-Length: 0", "Content-Length: -1"), kRefuse, 400,
       "not a number"},
      {"length_garbage", Replace(Ok(), "Content-Length: 0", "Content-Length: 0x0"), kRefuse, 400,
       "not a number"},
      {"length_overflow",
       Replace(Ok(), "Content-Length: 0", "Content-Length: 18446744073709551616"), kRefuse, 400,
       "not a number"},
      {"max_forwards", Replace(Ok(), "Max-Forwards: 70", "Max-Forwards: 300"), kRefuse, 400,
       "Max-Forwards"},
      {"bare_lf", Replace(Ok(), "70\r\n", "70\n"), kRefuse, 400, "line end"},
      {"bare_cr", Replace(Ok(), "Max-Forwards: 70", "X: a\rCSeq: 1 BYE\r\nMax-Forwards: 70"),
       kRefuse, 400, "line end"},
      {"nul_in_header",
       Replace(Ok(), "Max-Forwards: 70", std::string_view("X: a\0b\r\nMax-Forwards: 70", 24)),
       kRefuse, 400, "control"},
      {"no_empty_line", Replace(Ok(), "0\r\n\r\n", "0\r\n"), kRefuse, 400, "empty line"},
      {"line_without_colon", Replace(Ok(), "CSeq", "nonsense\r\nCSeq"), kRefuse, 400, "colon"},
      {"name_with_space", Replace(Ok(), "CSeq", "a b: c\r\nCSeq"), kRefuse, 400, "colon"},
      {"call_id_space", Replace(Ok(), "plain@", "plain @"), kRefuse, 400, "Call-ID"},
      {"tag_twice", Replace(Ok(), "tag=a1", "tag=a1;tag=a2"), kRefuse, 400, "two tags"},
      {"tag_empty", Replace(Ok(), "tag=a1", "tag="), kRefuse, 400, "tag"},
      {"branch_twice", Replace(Ok(), "-plain\r\n", "-plain;branch=x\r\n"), kRefuse, 400,
       "branches"},
      {"display_unquoted", Replace(Ok(), "From: <", "From: Bell, Alexander <"), kRefuse, 400, ""},
      {"quote_open", Replace(Ok(), "To: <", "To: \"Mr. J <"), kRefuse, 400, ""},
      {"space_in_brackets", Replace(Ok(), "<sip:bob@example.org>", "< sip:bob@example.org >"),
       kRefuse, 400, "angle brackets or has spaces"},
      {"contact_needs_brackets",
       Replace(Ok("REGISTER"), "CSeq", "Contact: sip:a@b.org?Route=x\r\nCSeq"), kRefuse, 400,
       "Contact"},
      {"many_fields",
       Replace(Ok(), "Content-Length",
               [] {
                 std::string fields;
                 for (int i = 0; i < 300; ++i) fields += "X: y\r\n";
                 return fields + "Content-Length";
               }()),
       kRefuse, 400, "more than 256"},
      {"many_parameters",
       Replace(Ok(), "branch=",
               [] {
                 std::string parameters;
                 for (int i = 0; i < 3000; ++i) parameters += "a;";
                 return parameters + "branch=";
               }()),
       kRefuse, 400, "parameters"},

      {"keepalive", "\r\n\r\n", kDrop},
      {"empty", "", kDrop},
      {"not_sip", "GET / HTTP/1.1\r\n\r\n", kDrop},
      {"bad_response", Replace(Response(), "CSeq: 1 ", "CSeq: 9999999999 "), kDrop, 0, "2^31"},
      {"response_code", Replace(Response(), "200 OK", "4294967301 better"), kDrop, 0,
       "status code"},
      {"response_code_99", Replace(Response(), "200 OK", "099 OK"), kDrop, 0, "status code"},
      {"response_version", Replace(Response(), "SIP/2.0 200", "SIP/3.0 200"), kDrop, 0, "version"},
      {"bad_ack", Replace(Ok("ACK"), "CSeq: 1 ", "CSeq: x "), kDrop, 0, "CSeq"},
      {"no_via", Replace(Ok(), "Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK-plain\r\n", ""),
       kDrop, 0, "no Via"},
  };
}

INSTANTIATE_TEST_SUITE_P(Messages, Screening, testing::ValuesIn(Cases()),
                         [](const testing::TestParamInfo<Case>& info) { return info.param.name; });

TEST(ScreenedMessage, HasItsPartsRead) {
  const std::string text =
      "INVITE sip:bob@example.org SIP/2.0\r\n"
      "v: SIP / 2.0 / UDP  EXAMPLE.com : 5070 ; branch = z9hG4bK-1, SIP/2.0/UDP b.org;branch=x\r\n"
      "f: \"A. \\\"Lice\\\"\" <sip:alice@example.com;transport=udp>;x=y;tag=a1\r\n"
      "t: sip:bob@example.org;tag=b1\r\n"
      "i: id@host\r\nCSeq: 0009\r\n  INVITE\r\nUser-Agent: phone 1.0\r\n"
      "c: application/sdp\r\nl: 4\r\n\r\nv=0\n";
  const Screened screened = Screen(text, CallLimits());
  ASSERT_EQ(screened.outcome, kOk) << screened.why;
  const SipMessage& message = *screened.message;
  EXPECT_TRUE(message.is_request());
  EXPECT_EQ(message.method(), "INVITE");
  EXPECT_EQ(message.request_uri(), "sip:bob@example.org");
  EXPECT_EQ(message.call_id(), "id@host");
  EXPECT_EQ(message.from().uri, "sip:alice@example.com;transport=udp");
  EXPECT_EQ(message.from().display, "A. \\\"Lice\\\"");
  EXPECT_EQ(message.from().tag, "a1");
  EXPECT_EQ(message.to().uri, "sip:bob@example.org");
  EXPECT_EQ(message.to().tag, "b1");
  EXPECT_EQ(message.cseq(), 9u);
  EXPECT_EQ(message.cseq_method(), "INVITE");
  EXPECT_EQ(message.branch(), "z9hG4bK-1");
  EXPECT_EQ(message.sent_by(), "example.com:5070");
  EXPECT_EQ(message.content_type(), "application/sdp");
  EXPECT_EQ(message.body(), "v=0\n");
  EXPECT_EQ(message.user_agent(), "phone 1.0");
  EXPECT_EQ(message.Summary(), "INVITE sip:bob@example.org");
}

TEST(ScreenedMessage, EndsWhereItsContentLengthSays) {
  const std::string text = PlainRequest("OPTIONS");
  EXPECT_EQ(Screen(text + "noise", CallLimits()).end, text.size());
  const std::string without = Replace(text, "Content-Length: 0\r\n", "");
  EXPECT_EQ(Screen(without + "body", CallLimits()).end, without.size() + 4)
      << "without one: at the end of the datagram";
}

TEST(ScreenedMessage, IsKnownByADigestOfAnIdentifierTooLongToKeep) {
  const std::string longest(STEM_TAG_MAX - 1, 'x');
  const auto tag = [](const std::string& value) {
    const std::string text = Replace(PlainRequest("OPTIONS"), "tag=a1", "tag=" + value);
    return Screen(text, CallLimits()).message->from().tag;
  };
  EXPECT_EQ(tag(longest), longest);
  EXPECT_THAT(tag(longest + "x"), testing::StartsWith("sha256 "));
  EXPECT_LT(tag(longest + "x").size(), size_t{STEM_TAG_MAX});
  EXPECT_EQ(tag(longest + "x"), tag(longest + "x"));
  EXPECT_NE(tag(longest + "x"), tag(longest + "y"));
}

TEST(ScreenedMessage, MayBeLimitedInSize) {
  CallLimits limits;
  limits.message_bytes = 100;
  const std::string text = PlainRequest("OPTIONS");
  const Screened screened = Screen(text, limits);
  EXPECT_EQ(screened.outcome, kRefuse);
  EXPECT_EQ(screened.reason, SipReason::over_limit);
}

// Every prefix of a valid message: no crash, and none but the whole is let through.
TEST(ScreenedMessage, NoPrefixOfItPasses) {
  const std::string text = PlainRequest("INVITE");
  for (size_t length = 0; length < text.size(); ++length) {
    const std::string cut = text.substr(0, length);
    EXPECT_NE(Screen(cut, CallLimits()).outcome, kOk) << cut;
  }
}

}  // namespace
}  // namespace stem::test
