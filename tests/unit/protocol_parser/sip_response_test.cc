// SPDX-License-Identifier: Apache-2.0
// Responses the agent makes.
#include "agent/protocol_parser/sip_response.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/protocol_parser/screening.h"
#include "tests/unit/protocol_parser/sip_text.h"

namespace stem::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const Endpoint kSource = At("203.0.113.10:5060");

std::string Build(const std::string& request, const ResponseSpec& spec,
                  const Endpoint& source = kSource) {
  return BuildResponse(MessageHead::Read(request), source, spec);
}

TEST(SipResponse, CopiesWhatRfc3261Asks) {
  const std::string request =
      "OPTIONS sip:bob@example.org SIP/2.0\r\n"
      "Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK1\r\n"
      "v: SIP/2.0/UDP b.org;branch=z9hG4bK2\r\n"
      "Max-Forwards: 70\r\nf: <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.org>\r\n"
      "Call-ID: id@host\r\nCSeq: 7 OPTIONS\r\nContent-Length: 4\r\n\r\nbody";
  EXPECT_EQ(Build(request, {.status = 404, .to_tag = "x1"}),
            "SIP/2.0 404 Not Found\r\n"
            "Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK1\r\n"
            "Via: SIP/2.0/UDP b.org;branch=z9hG4bK2\r\n"
            "f: <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.org>;tag=x1\r\n"
            "Call-ID: id@host\r\nCSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n");
}

TEST(SipResponse, PassesScreeningItself) {
  for (const int status : {200, 302, 400, 403, 481, 487, 500, 503, 505, 699}) {
    const std::string response = Build(PlainRequest("INVITE"), {.status = status, .to_tag = "x"});
    EXPECT_EQ(Screen(response, CallLimits()).outcome, Screened::Outcome::kOk) << response;
  }
}

TEST(SipResponse, KeepsATagThatIsThere) {
  const std::string request =
      Replace(PlainRequest("BYE"), "<sip:bob@example.org>\r\n", "<sip:bob@example.org>;tag=b1\r\n");
  EXPECT_THAT(Build(request, {.status = 481, .to_tag = "x1"}),
              HasSubstr("To: <sip:bob@example.org>;tag=b1\r\n"));
}

struct ViaCase {
  const char* name;
  const char* via;
  const char* source;
  const char* expected;
};
void PrintTo(const ViaCase& c, std::ostream* out) { *out << c.name; }
class TopVia : public testing::TestWithParam<ViaCase> {};

TEST_P(TopVia, SaysWhereTheRequestCameFrom) {
  const std::string request =
      Replace(PlainRequest("OPTIONS"), "SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK-plain",
              GetParam().via);
  EXPECT_THAT(Build(request, {.status = 400}, At(GetParam().source)),
              HasSubstr(fmt::format("\r\nVia: {}\r\n", GetParam().expected)));
}

INSTANTIATE_TEST_SUITE_P(
    Vias, TopVia,
    testing::Values(
        ViaCase{"same_address", "SIP/2.0/UDP 192.0.2.1;branch=a", "192.0.2.1:1111",
                "SIP/2.0/UDP 192.0.2.1;branch=a"},
        ViaCase{"other_address", "SIP/2.0/UDP 10.0.0.1;branch=a", "192.0.2.1:1111",
                "SIP/2.0/UDP 10.0.0.1;branch=a;received=192.0.2.1"},
        ViaCase{"name", "SIP/2.0/UDP host.test:5060;branch=a", "192.0.2.1:1111",
                "SIP/2.0/UDP host.test:5060;branch=a;received=192.0.2.1"},
        ViaCase{"rport", "SIP/2.0/UDP 192.0.2.1;rport;branch=a", "192.0.2.1:1111",
                "SIP/2.0/UDP 192.0.2.1;rport=1111;branch=a;received=192.0.2.1"},
        ViaCase{"forged_received", "SIP/2.0/UDP 10.0.0.1;received=9.9.9.9;branch=a",
                "192.0.2.1:1111", "SIP/2.0/UDP 10.0.0.1;branch=a;received=192.0.2.1"},
        ViaCase{"ipv6", "SIP/2.0/UDP [2001:db8::1]:5060;branch=a", "[2001:db8::1]:5060",
                "SIP/2.0/UDP [2001:db8::1]:5060;branch=a"},
        ViaCase{"ipv6_other", "SIP/2.0/UDP [2001:db8::1];branch=a", "[2001:db8::2]:5060",
                "SIP/2.0/UDP [2001:db8::1];branch=a;received=2001:db8::2"},
        ViaCase{"two_in_one_line", "SIP/2.0/UDP a.test;branch=a, SIP/2.0/UDP b.test;branch=b",
                "192.0.2.1:1111",
                "SIP/2.0/UDP a.test;branch=a;received=192.0.2.1, SIP/2.0/UDP b.test;branch=b"}),
    [](const testing::TestParamInfo<ViaCase>& info) { return info.param.name; });

TEST(SipResponse, CannotBeSplitByWhatItIsGiven) {
  const std::string response =
      Build(PlainRequest("INVITE"),
            {.status = 403, .reason = "a\r\nX: y", .contact = "sip:a\r\nX: y", .retry_after = 3});
  EXPECT_THAT(response, Not(HasSubstr("\r\nX: y")));
  EXPECT_THAT(response, StartsWith("SIP/2.0 403 a  X: y\r\n"));
  EXPECT_THAT(response, HasSubstr("\r\nRetry-After: 3\r\n"));
}

TEST(SipResponse, PhrasesOfUnknownStatusesAreTheirClasses) {
  EXPECT_EQ(ReasonPhrase(403), "Forbidden");
  EXPECT_EQ(ReasonPhrase(399), "Multiple Choices");
  EXPECT_EQ(ReasonPhrase(499), "Bad Request");
  EXPECT_EQ(ReasonPhrase(599), "Server Internal Error");
  EXPECT_EQ(ReasonPhrase(699), "Busy Everywhere");
}

TEST(SipResponse, ContactsAreChecked) {
  EXPECT_TRUE(IsContactUri("sip:carol@example.org;transport=udp"));
  EXPECT_TRUE(IsContactUri("tel:+49891"));
  EXPECT_FALSE(IsContactUri("carol"));
  EXPECT_FALSE(IsContactUri("sip:a>\r\nX: y"));
  EXPECT_FALSE(IsContactUri("sip:a b"));
  EXPECT_FALSE(IsContactUri(""));
}

}  // namespace
}  // namespace stem::test
