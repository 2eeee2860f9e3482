// SPDX-License-Identifier: Apache-2.0
// Each kind of value: what it takes, and the exact words for what it does not.
#include "common/config/kinds.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/common/config_text.h"

namespace stem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

// Reads "k: VALUE" with `kind` into `target`; returns the error without its "t.yaml:1:4: k: ".
template <typename T, typename Kind>
std::string Read(std::string_view value, T& target, const Kind& kind) {
  const std::string all = ErrorsOf(fmt::format("k: {}\n", value), [&](const ConfigSection& root) {
    root.Required("k", target, kind);
  });
  constexpr std::string_view kPlace = "t.yaml:1:4: k: ";
  return all.starts_with(kPlace) ? all.substr(kPlace.size()) : all;
}

TEST(ConfigKinds, Boolean) {
  bool target = false;
  EXPECT_EQ(Read("true", target, Boolean{}), "");
  EXPECT_TRUE(target);
  EXPECT_EQ(Read("false", target, Boolean{}), "");
  EXPECT_FALSE(target);
  EXPECT_EQ(Read("no", target, Boolean{}), "'no' is not a boolean; write true or false");
  EXPECT_EQ(Read("True", target, Boolean{}), "'True' is not a boolean; write true or false");
  EXPECT_EQ(Read("1", target, Boolean{}), "'1' is not a boolean; write true or false");
  EXPECT_EQ(Read("\"true\"", target, Boolean{}),
            "\"true\" is in quotes, which makes it text; write true or false, without quotes");
}

TEST(ConfigKinds, Integer) {
  int target = 0;
  EXPECT_EQ(Read("1", target, Integer{1, 64}), "");
  EXPECT_EQ(target, 1);
  EXPECT_EQ(Read("64", target, Integer{1, 64}), "");
  EXPECT_EQ(target, 64);
  EXPECT_EQ(Read("-5", target, Integer{-9, 9}), "");
  EXPECT_EQ(target, -5);
  constexpr std::string_view kRight = "; write a whole number from 1 to 64";
  EXPECT_EQ(Read("0", target, Integer{1, 64}), fmt::format("0 is out of range{}", kRight));
  EXPECT_EQ(Read("65", target, Integer{1, 64}), fmt::format("65 is out of range{}", kRight));
  EXPECT_EQ(Read("99999999999999999999", target, Integer{1, 64}),
            fmt::format("99999999999999999999 is out of range{}", kRight));
  for (const std::string_view text : {"4.0", "0x10", "1_000", "+4", "ten", "4 4", "--", "1e3"}) {
    EXPECT_EQ(Read(text, target, Integer{1, 64}),
              fmt::format("'{}' is not a whole number{}", text, kRight));
  }
  EXPECT_EQ(Read("'5'", target, Integer{1, 64}),
            "\"5\" is in quotes, which makes it text; "
            "write a whole number from 1 to 64, without quotes");
  EXPECT_EQ(Read("[5]", target, Integer{1, 64}), fmt::format("is a list{}", kRight));
  EXPECT_EQ(Read("{a: 5}", target, Integer{1, 64}), fmt::format("is a map of keys{}", kRight));
  EXPECT_EQ(target, -5) << "a wrong value must leave the target alone";
}

TEST(ConfigKinds, IntegerFillsTheTargetsType) {
  uint16_t port = 0;
  EXPECT_EQ(Read("65535", port, Integer{0, 65535}), "");
  EXPECT_EQ(port, 65535);
  uint64_t large = 0;
  EXPECT_EQ(Read("9223372036854775807", large, Integer{}), "");
  EXPECT_EQ(large, 9223372036854775807u);
  EXPECT_EQ(Read("9223372036854775808", large, Integer{}),
            "9223372036854775808 is out of range; write a whole number, at least 0");
}

TEST(ConfigKinds, Number) {
  double target = 0;
  EXPECT_EQ(Read("0.25", target, Number{0, 1}), "");
  EXPECT_EQ(target, 0.25);
  EXPECT_EQ(Read("1.5", target, Number{0, 1}), "1.5 is out of range; write a number from 0 to 1");
  for (const std::string_view text : {"nan", "inf", ".inf", "1,5", "half"}) {
    EXPECT_EQ(Read(text, target, Number{}),
              fmt::format("'{}' is not a number; write a number, at least 0", text));
  }
}

TEST(ConfigKinds, Duration) {
  std::chrono::nanoseconds target{};
  const Duration kind{.min = 1ms, .max = 1h};
  const std::pair<std::string_view, std::chrono::nanoseconds> good[] = {
      {"400ms", 400ms}, {"60s", 60s},    {"5m", 5min},
      {"1h", 1h},       {"1000us", 1ms}, {"2000000ns", 2ms}};
  for (const auto& [text, expected] : good) {
    EXPECT_EQ(Read(text, target, kind), "");
    EXPECT_EQ(target, expected);
  }
  constexpr std::string_view kRight = "; write a duration from 1ms to 1h, such as 400ms, 60s or 5m";
  for (const std::string_view text : {"60", "s", "1.5s", "-1s", "5 s", "5S", "1m30s", "5min",
                                      "99999999999999999999s", "9999999999h"}) {
    EXPECT_EQ(Read(text, target, kind), fmt::format("'{}' is not a duration{}", text, kRight));
  }
  EXPECT_EQ(Read("999us", target, kind), fmt::format("999us is out of range{}", kRight));
  EXPECT_EQ(Read("61m", target, kind), fmt::format("61m is out of range{}", kRight));
  EXPECT_EQ(Read("0", target, kind), fmt::format("0 is out of range{}", kRight));
  EXPECT_EQ(Read("0", target, Duration{}), "");
  EXPECT_EQ(target, 0s);
}

TEST(ConfigKinds, DurationTextIsExactAndShort) {
  EXPECT_EQ(DurationText(0ns), "0ns");
  EXPECT_EQ(DurationText(1500ms), "1500ms");
  EXPECT_EQ(DurationText(60s), "1m");
  EXPECT_EQ(DurationText(90s), "90s");
  EXPECT_EQ(DurationText(1ns), "1ns");
}

TEST(ConfigKinds, Bytes) {
  uint64_t target = 0;
  const Bytes kind{.min = 1024, .max = 2 << 20};
  const std::pair<std::string_view, uint64_t> good[] = {
      {"64KiB", 64 << 10}, {"2MiB", 2 << 20}, {"1500B", 1500}};
  for (const auto& [text, expected] : good) {
    EXPECT_EQ(Read(text, target, kind), "");
    EXPECT_EQ(target, expected);
  }
  constexpr std::string_view kRight = "; write a size from 1KiB to 2MiB, such as 64KiB or 2MiB";
  for (const std::string_view text : {"64K", "64kb", "64", "KiB", "1.5MiB", "-1KiB"}) {
    EXPECT_EQ(Read(text, target, kind), fmt::format("'{}' is not a size{}", text, kRight));
  }
  EXPECT_EQ(Read("3MiB", target, kind), fmt::format("3MiB is out of range{}", kRight));
  EXPECT_EQ(Read("100B", target, kind), fmt::format("100B is out of range{}", kRight));
}

TEST(ConfigKinds, Text) {
  std::string target;
  EXPECT_EQ(Read("some words", target, Text{}), "");
  EXPECT_EQ(target, "some words");
  EXPECT_EQ(Read("'123'", target, Text{}), "");
  EXPECT_EQ(target, "123");
  EXPECT_EQ(Read("192.0.2.1", target, Text{}), "");
  EXPECT_EQ(Read("123", target, Text{}),
            "123 without quotes is a number; write \"123\" or text of 1 to 1024 bytes");
  EXPECT_EQ(Read("1.5", target, Text{}),
            "1.5 without quotes is a number; write \"1.5\" or text of 1 to 1024 bytes");
  EXPECT_EQ(Read("No", target, Text{}),
            "No without quotes is a boolean; write \"No\" or text of 1 to 1024 bytes");
  EXPECT_EQ(Read("''", target, Text{}), "the text has 0 bytes; write text of 1 to 1024 bytes");
  EXPECT_EQ(Read("abcd", target, Text{1, 3}), "the text has 4 bytes; write text of 1 to 3 bytes");
  EXPECT_EQ(Read("[a]", target, Text{}), "is a list; write text of 1 to 1024 bytes");
}

TEST(ConfigKinds, Name) {
  std::string target;
  EXPECT_EQ(Read("edge-1.lab_a", target, Name{}), "");
  EXPECT_EQ(target, "edge-1.lab_a");
  for (const std::string_view text : {"../x", ".hidden", "a/b", "a b", "-x", "ä"}) {
    EXPECT_THAT(
        Read(fmt::format("'{}'", text), target, Name{}),
        HasSubstr(fmt::format("'{}' is not a name; write a name of 1 to 64 letters", text)));
  }
  EXPECT_THAT(Read("abcdef", target, Name{.max = 5}), HasSubstr("'abcdef' is not a name"));
}

TEST(ConfigKinds, HostAndPort) {
  std::string target;
  for (const std::string_view text :
       {"192.0.2.1:7443", "'[2001:db8::1]:7443'", "sm.example.org:1", "localhost:65535"}) {
    EXPECT_EQ(Read(text, target, HostAndPort{}), "") << text;
  }
  for (const std::string_view text :
       {"sm.example.org", "sm.example.org:0", "sm.example.org:65536", "300.1.2.3:5", "192.0.2.1:0",
        "-a.example:5", "a..b:5", "user@host:5", "host:+5"}) {
    EXPECT_THAT(Read(text, target, HostAndPort{}),
                HasSubstr(fmt::format("'{}' is not a host and port; write a host", text)));
  }
}

TEST(ConfigKinds, AddressesEndpointsPrefixes) {
  IpAddress address;
  EXPECT_EQ(Read("2001:db8::7", address, AddressText{}), "");
  EXPECT_EQ(address.ToString(), "2001:db8::7");
  EXPECT_EQ(Read("192.0.2.300", address, AddressText{}),
            "'192.0.2.300' is not an IPv4 or IPv6 address; "
            "write an IPv4 or IPv6 address such as 192.0.2.1 or 2001:db8::1");

  Endpoint endpoint;
  EXPECT_EQ(Read("192.0.2.1:5060", endpoint, EndpointText{}), "");
  EXPECT_EQ(endpoint.ToString(), "192.0.2.1:5060");
  EXPECT_THAT(Read("192.0.2.1:65536", endpoint, EndpointText{}),
              HasSubstr("; write an address and port such as 192.0.2.1:5060"));
  EXPECT_THAT(Read("192.0.2.1:0", endpoint, EndpointText{}), HasSubstr("port 0 is no port"));
  EXPECT_EQ(Read("192.0.2.1:0", endpoint, EndpointText{.any_port = true}), "");

  Prefix prefix;
  EXPECT_EQ(Read("192.0.2.0/24", prefix, PrefixText{}), "");
  EXPECT_EQ(prefix.ToString(), "192.0.2.0/24");
  EXPECT_THAT(Read("192.0.2.1/24", prefix, PrefixText{}),
              HasSubstr("; write an address prefix such as 192.0.2.0/24 or 2001:db8::/32"));
}

TEST(ConfigKinds, NaturalKinds) {
  bool flag = false;
  IpAddress address;
  Endpoint endpoint;
  Prefix prefix;
  EXPECT_EQ(ErrorsOf("f: true\na: 192.0.2.1\ne: 192.0.2.1:1\np: 192.0.2.0/25\n",
                     [&](const ConfigSection& root) {
                       root.Required("f", flag);
                       root.Optional("a", address);
                       root.Required("e", endpoint);
                       root.Optional("p", prefix);
                     }),
            "");
  EXPECT_TRUE(flag);
  EXPECT_EQ(endpoint.port, 1);
  EXPECT_EQ(prefix.bits, 121);
}

TEST(ConfigKinds, Choice) {
  enum class Answer { kRefuse, kAccept };
  const Choice<Answer> kind{{{"refuse", Answer::kRefuse}, {"accept", Answer::kAccept}}};
  Answer target = Answer::kRefuse;
  EXPECT_EQ(Read("accept", target, kind), "");
  EXPECT_EQ(target, Answer::kAccept);
  EXPECT_EQ(Read("Accept", target, kind), "'Accept' is not a choice; write one of refuse, accept");
}

TEST(ConfigKinds, EachItemIsReportedAtItsPlace) {
  std::vector<uint16_t> ports = {5060};
  EXPECT_EQ(Read("[1, 2]", ports, Each{Integer{1, 65535}, Count{1, 3}}), "");
  EXPECT_THAT(ports, ElementsAre(1, 2));
  EXPECT_EQ(ErrorsOf("k:\n  - 5060\n  - no\n  - 70000\n",
                     [&](const ConfigSection& root) {
                       root.Required("k", ports, Each{Integer{1, 65535}, Count{1, 3}});
                     }),
            "t.yaml:3:5: k[1]: 'no' is not a whole number; write a whole number from 1 to 65535\n"
            "t.yaml:4:5: k[2]: 70000 is out of range; write a whole number from 1 to 65535");
  EXPECT_EQ(Read("5060", ports, Each{Integer{1, 65535}, Count{1, 3}}),
            "'5060' is a single value; write a list of 1 to 3");
  EXPECT_EQ(Read("[]", ports, Each{Integer{1, 65535}, Count{1, 3}}),
            "the list has 0 items; write a list of 1 to 3");
  std::vector<std::string> domains = {"x"};
  EXPECT_EQ(Read("[]", domains, Each{Text{}}), "");
  EXPECT_TRUE(domains.empty());
}

}  // namespace
}  // namespace stem
