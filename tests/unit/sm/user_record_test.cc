// SPDX-License-Identifier: Apache-2.0
// What an administrator may write about a user, and the words for what not.
#include "sm/user_record.h"

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/sm/records.h"

namespace stem {
namespace {

using testing::ElementsAre;

std::string Refusal(const v1::User& user) {
  const auto record = ToUserRecord(user, TestDomains());
  EXPECT_EQ(record.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(record.status().message());
}

TEST(UserRecord, KeysAreCanonical) {
  v1::User user = ForwardingUser("alice", "SIPS:Carol@Elsewhere.Example:5061;x=1");
  user.add_uris("sip:%61lice@198.51.100.10:5060;transport=udp");
  user.add_locations("sip:alice@198.51.100.20:5062");
  const UserRecord record = Record(user);
  EXPECT_THAT(record.address_keys, ElementsAre("sip:alice@example.org", "sip:alice@198.51.100.10"));
  EXPECT_THAT(record.location_keys, ElementsAre("sip:alice@198.51.100.20:5062"));
  EXPECT_EQ(record.forward_key, "sip:Carol@elsewhere.example");
  EXPECT_EQ(record.user.forward_to(), user.forward_to()) << "people see what they wrote";
}

TEST(UserRecord, Names) {
  for (const std::string name : {"", "a b", "-a", "../etc", "ä", "a\nb"}) {
    v1::User user = TestUser("alice");
    user.set_name(name);
    EXPECT_THAT(Refusal(user), testing::HasSubstr("is not a name; write 1 to 64 letters")) << name;
  }
  v1::User user = TestUser("alice");
  user.set_name(std::string(65, 'a'));
  EXPECT_THAT(Refusal(user), testing::StartsWith("user.name: "));
}

TEST(UserRecord, Uris) {
  v1::User user = TestUser("alice");
  user.clear_uris();
  EXPECT_EQ(Refusal(user), "user.uris: has 0 URIs; write 1 to 16");
  user.add_uris("sip:alice@other.example");
  EXPECT_EQ(Refusal(user),
            "user.uris: other.example is not a domain served here; "
            "write an address in one of example.org, 198.51.100.10");
  user.set_uris(0, "sip:example.org");
  EXPECT_EQ(Refusal(user), "user.uris: 'sip:example.org' names no user; write sip:user@host");
  user.set_uris(0, "sip:example.org:5070");
  EXPECT_EQ(Refusal(user), "user.uris: 'sip:example.org:5070' names no user; write sip:user@host");
  user.set_uris(0, "mailto:a@example.org");
  EXPECT_EQ(Refusal(user),
            "user.uris: 'mailto:a@example.org' is neither sip, sips nor tel; "
            "write sip:user@host or tel:+number");
  user.set_uris(0, "sip:alice@example.org");
  user.add_uris("sips:alice@EXAMPLE.org");
  EXPECT_EQ(Refusal(user), "user.uris: sips:alice@EXAMPLE.org is given twice; write it once");
  user.set_uris(1, "tel:+1-555-0100");
  EXPECT_TRUE(ToUserRecord(user, TestDomains()).ok());
}

TEST(UserRecord, NothingThatBreaksAHeader) {
  for (const std::string uri :
       {"sip:a@example.org\r\nX: y", "sip:a@example.org;x=>", "sip:a b@example.org",
        "sip:a@example.org;\"", "sip:\xff@example.org"}) {
    v1::User user = TestUser("alice");
    user.set_uris(0, uri);
    EXPECT_THAT(Refusal(user), testing::HasSubstr("has characters no URI may have")) << uri;
  }
  v1::User user = TestUser("alice", v1::INCOMING_CALLS_REFUSE);
  user.set_refuse_reason("Busy\r\nContact: <sip:evil@x>");
  EXPECT_EQ(
      Refusal(user),
      "user.refuse_reason: holds control characters or is no UTF-8; write one line of plain text");
  user.set_refuse_reason(std::string(129, 'x'));
  EXPECT_EQ(Refusal(user), "user.refuse_reason: has 129 bytes; write at most 128");
  user = TestUser("alice");
  user.set_uris(0, "sip:alice@example.org;" + std::string(300, 'x'));
  EXPECT_EQ(Refusal(user), "user.uris: the URI has 322 bytes; write at most 255");
}

TEST(UserRecord, ProfileFieldsBelongToTheirProfile) {
  v1::User user = TestUser("alice");
  user.set_incoming(v1::INCOMING_CALLS_UNSPECIFIED);
  EXPECT_EQ(Refusal(user),
            "user.incoming: is missing or unknown; write ACCEPT, FORWARD, REFUSE or DROP");
  user.set_incoming(static_cast<v1::IncomingCalls>(77));
  EXPECT_EQ(Refusal(user),
            "user.incoming: is missing or unknown; write ACCEPT, FORWARD, REFUSE or DROP");
  user = TestUser("alice", v1::INCOMING_CALLS_FORWARD);
  EXPECT_EQ(Refusal(user), "user.forward_to: is missing; write the URI to forward calls to");
  user = TestUser("alice");
  user.set_forward_to("sip:bob@example.org");
  EXPECT_EQ(Refusal(user),
            "user.forward_to: is given, but user.incoming is not FORWARD; write only one of both");
  user = TestUser("alice");
  user.set_refuse_status(486);
  EXPECT_THAT(Refusal(user), testing::HasSubstr("user.incoming is not REFUSE"));
  for (const uint32_t status : {200u, 302u, 399u, 700u}) {
    user = TestUser("alice", v1::INCOMING_CALLS_REFUSE);
    user.set_refuse_status(status);
    EXPECT_EQ(Refusal(user),
              fmt::format("user.refuse_status: {} is no refusal; write 400 to 699, or 0 for 403",
                          status));
  }
}

TEST(UserRecord, NobodyForwardsToHimself) {
  EXPECT_EQ(Refusal(ForwardingUser("alice", "SIP:alice@Example.ORG:5060")),
            "user.forward_to: SIP:alice@Example.ORG:5060 is this user's own address; "
            "write somebody else's");
}

TEST(UserRecord, Locations) {
  v1::User user = TestUser("alice");
  user.add_locations("tel:+15550100");
  EXPECT_EQ(Refusal(user), "user.locations: 'tel:+15550100' is no place; write sip:user@host:port");
  user.clear_locations();
  for (int i = 0; i < 17; ++i) user.add_locations(fmt::format("sip:a@198.51.100.{}", i));
  EXPECT_EQ(Refusal(user), "user.locations: has 17 URIs; write at most 16");
}

}  // namespace
}  // namespace stem
