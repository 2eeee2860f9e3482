// SPDX-License-Identifier: Apache-2.0
#include "sm/spam_key.h"

#include <algorithm>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/sm/records.h"

namespace stem {
namespace {

std::string Refusal(v1::SpamKind kind, const std::string& value) {
  v1::SpamEntry entry;
  entry.set_kind(kind);
  entry.set_value(value);
  const auto record = ToSpamRecord(entry);
  EXPECT_EQ(record.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(record.status().message());
}

// Would an entry of this kind and value stop this call?
bool Stops(v1::SpamKind kind, const std::string& value, std::string_view caller,
           std::string_view source) {
  const auto keys = SpamKeysOfCall(caller, *IpAddress::Parse(source));
  return std::find(keys.begin(), keys.end(), Spam(kind, value).key) != keys.end();
}

TEST(SpamKey, ValuesBecomeCanonical) {
  EXPECT_EQ(Spam(v1::SPAM_KIND_URI, "SIPS:Bot@Spam.Example;x=y").entry.value(),
            "sip:Bot@spam.example");
  EXPECT_EQ(Spam(v1::SPAM_KIND_DOMAIN, "Spam.Example").entry.value(), "spam.example");
  EXPECT_EQ(Spam(v1::SPAM_KIND_PREFIX, "203.0.113.7").entry.value(), "203.0.113.7/32");
}

TEST(SpamKey, RefusesWhatIsNoEntry) {
  EXPECT_THAT(Refusal(v1::SPAM_KIND_URI, "bot@spam.example"), testing::StartsWith("entry.value: "));
  EXPECT_EQ(Refusal(v1::SPAM_KIND_DOMAIN, "spam example"),
            "entry.value: 'spam example' is not a domain; write a domain such as spam.example");
  EXPECT_THAT(Refusal(v1::SPAM_KIND_PREFIX, "203.0.113.7/24"),
              testing::HasSubstr("; write an address prefix such as 203.0.113.0/24"));
  EXPECT_EQ(Refusal(v1::SPAM_KIND_UNSPECIFIED, "x"),
            "entry.kind: is missing or unknown; write URI, DOMAIN or PREFIX");
  v1::SpamEntry entry = Spam(v1::SPAM_KIND_DOMAIN, "a.example").entry;
  entry.set_id(4);
  EXPECT_EQ(std::string(ToSpamRecord(entry).status().message()),
            "entry.id: is chosen by the security manager; write 0");
  entry.set_id(0);
  entry.set_hits(4);
  EXPECT_FALSE(ToSpamRecord(entry).ok());
  entry.set_hits(0);
  entry.set_comment("two\nlines");
  EXPECT_FALSE(ToSpamRecord(entry).ok());
  entry.set_comment("");
  entry.set_user("no body");
  EXPECT_FALSE(ToSpamRecord(entry).ok());
}

TEST(SpamKey, UriAndDomainMatch) {
  const std::string_view bot = "sip:bot@pbx.spam.example";
  EXPECT_TRUE(Stops(v1::SPAM_KIND_URI, "sip:bot@pbx.spam.example", bot, "192.0.2.1"));
  EXPECT_FALSE(Stops(v1::SPAM_KIND_URI, "sip:Bot@pbx.spam.example", bot, "192.0.2.1"))
      << "user parts are case-sensitive";
  EXPECT_TRUE(Stops(v1::SPAM_KIND_DOMAIN, "pbx.spam.example", bot, "192.0.2.1"));
  EXPECT_TRUE(Stops(v1::SPAM_KIND_DOMAIN, "spam.example", bot, "192.0.2.1"));
  EXPECT_FALSE(Stops(v1::SPAM_KIND_DOMAIN, "am.example", bot, "192.0.2.1"));
  EXPECT_FALSE(Stops(v1::SPAM_KIND_DOMAIN, "a.pbx.spam.example", bot, "192.0.2.1"));
  EXPECT_TRUE(Stops(v1::SPAM_KIND_DOMAIN, "spam.example", "sip:spam.example:5070", "192.0.2.1"));
}

TEST(SpamKey, EveryPrefixLengthMatchesInsideAndNotOutside) {
  const auto inside = *IpAddress::Parse("203.0.113.129");
  for (int length = 0; length <= 32; ++length) {
    Prefix prefix{inside, 96 + length};
    const auto mask = prefix.Mask();
    for (size_t i = 0; i < 16; ++i) prefix.address.bytes[i] &= mask[i];
    EXPECT_TRUE(Stops(v1::SPAM_KIND_PREFIX, prefix.ToString(), "", "203.0.113.129"))
        << prefix.ToString();
    if (length == 0) continue;
    IpAddress outside = inside;  // differs in the prefix' last bit
    outside.bytes[static_cast<size_t>(12 + (length - 1) / 8)] ^=
        static_cast<uint8_t>(0x80 >> ((length - 1) % 8));
    EXPECT_FALSE(Stops(v1::SPAM_KIND_PREFIX, prefix.ToString(), "", outside.ToString()))
        << prefix.ToString();
  }
  EXPECT_TRUE(Stops(v1::SPAM_KIND_PREFIX, "2001:db8::/33", "", "2001:db8:7fff::1"));
  EXPECT_FALSE(Stops(v1::SPAM_KIND_PREFIX, "2001:db8::/33", "", "2001:db8:8000::1"));
  EXPECT_FALSE(Stops(v1::SPAM_KIND_PREFIX, "::/0", "", "192.0.2.1"))
      << "an IPv6 prefix says nothing about IPv4";
}

TEST(SpamKey, MostParticularFirst) {
  const auto keys = SpamKeysOfCall("sip:bot@a.b", *IpAddress::Parse("192.0.2.1"));
  ASSERT_EQ(keys.size(), 3u + 33u);
  EXPECT_EQ(keys[0], "uri sip:bot@a.b");
  EXPECT_EQ(keys[1], "domain a.b");
  EXPECT_EQ(keys[2], "domain b");
  EXPECT_EQ(keys[3], "prefix 192.0.2.1/32");
  EXPECT_EQ(keys.back(), "prefix 0.0.0.0/0");
}

}  // namespace
}  // namespace stem
