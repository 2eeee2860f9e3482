// SPDX-License-Identifier: Apache-2.0
#include "sm/config.h"

#include <fstream>
#include <set>
#include <sstream>

#include "common/config/document.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/scratch_folder.h"

namespace stem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kExample = STEM_SOURCE_DIR "/etc/sm.example.yaml";

class SmConfigTest : public testing::Test {
 protected:
  absl::StatusOr<SmConfig> Load(const std::string& yaml) {
    std::ofstream(scratch_ / "sm.yaml") << yaml;
    return LoadSmConfig(scratch_ / "sm.yaml");
  }

  // The errors without the file's name.
  std::string Errors(const std::string& yaml) {
    std::string text(Load(yaml).status().message());
    const std::string file = (scratch_ / "sm.yaml") + ":";
    for (size_t at = 0; (at = text.find(file, at)) != std::string::npos;)
      text.erase(at, file.size());
    return text;
  }

  const std::string good_ =
      "listen: 192.0.2.1:7443\ntls: {certificate: c, key: k, ca: a}\ndatabase: d\n"
      "domains: [Example.ORG, 192.0.2.10, \"2001:DB8:0::5\"]\n";
  ScratchFolder scratch_;
};

TEST_F(SmConfigTest, ExampleLoads) {
  const auto config = LoadSmConfig(kExample);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->listen.ToString(), "198.51.100.5:7443");
  EXPECT_EQ(config->database, "/var/lib/stem/sm.db");
  EXPECT_THAT(config->domains, ElementsAre("example.org"));
}

// What is commented out in the example as "# key: default" must be the default, and no key may be
// missing there: with every such line made live, the example still loads and changes nothing.
TEST_F(SmConfigTest, ExampleShowsEveryDefault) {
  std::ifstream file(kExample);
  std::ostringstream live;
  std::string line;
  int revealed = 0;
  while (std::getline(file, line)) {
    const size_t hash = line.find("# ");
    const size_t colon = line.find(": ", hash == std::string::npos ? 0 : hash);
    const bool key = hash != std::string::npos && colon != std::string::npos &&
                     line.find_first_not_of(' ') == hash &&
                     line.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", hash + 2) == colon &&
                     line.find(' ', colon + 2) == std::string::npos;
    if (key) {
      line.erase(hash, 2);
      ++revealed;
    }
    live << line << "\n";
  }
  EXPECT_EQ(revealed, 13) << live.str();
  const auto all = Load(live.str());
  ASSERT_TRUE(all.ok()) << all.status();
  const auto plain = LoadSmConfig(kExample);
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(all->tls.reload, plain->tls.reload);
  EXPECT_EQ(all->calls.unknown_callee, plain->calls.unknown_callee);
  EXPECT_EQ(all->calls.spam_action, plain->calls.spam_action);
  EXPECT_EQ(all->replay.window, plain->replay.window);
  EXPECT_EQ(all->replay.table, plain->replay.table);
  EXPECT_EQ(all->server.request_bytes, plain->server.request_bytes);
  EXPECT_EQ(all->server.memory_bytes, plain->server.memory_bytes);
  EXPECT_EQ(all->server.requests_per_connection, plain->server.requests_per_connection);
  EXPECT_EQ(all->server.firewalls, plain->server.firewalls);
  EXPECT_EQ(all->store.users, plain->store.users);
  EXPECT_EQ(all->store.spam_entries, plain->store.spam_entries);
  EXPECT_EQ(all->log_level, plain->log_level);
}

TEST_F(SmConfigTest, DomainsBecomeCanonical) {
  const auto config = Load(good_);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->domains, ElementsAre("example.org", "192.0.2.10", "2001:db8::5"));
}

TEST_F(SmConfigTest, ReportsEverythingAtOnce) {
  EXPECT_EQ(
      Errors("listen: 192.0.2.1\ntls: {certificate: c}\ndomain: x\n"
             "limits: {users: 0, request_size: 1KiB}\nspam_action: block\n"),
      "1:1: database: required key is missing; write the path of a file\n"
      "1:1: domains: required key is missing; write a list of 1 to 256\n"
      "1:9: listen: '192.0.2.1' is not ADDRESS:PORT (write IPv6 as [2001:db8::1]:5060); "
      "write an address and port such as 192.0.2.1:5060 or [2001:db8::1]:5060\n"
      "2:6: tls.key: required key is missing; write the path of a file\n"
      "2:6: tls.ca: required key is missing; write the path of a file\n"
      "3:1: domain: unknown key; did you mean 'domains'?\n"
      "4:17: limits.users: 0 is out of range; write a whole number from 1 to 10000000\n"
      "4:34: limits.request_size: 1KiB is out of range; write a size from 16KiB to 4MiB, such as "
      "64KiB or 2MiB\n"
      "5:14: spam_action: 'block' is not a choice; write one of refuse, drop");
}

TEST_F(SmConfigTest, Domains) {
  const std::string head =
      "listen: 192.0.2.1:7443\ntls: {certificate: c, key: k, ca: a}\ndatabase: d\n";
  EXPECT_EQ(Errors(head + "domains: [a.example, A.example]\n"),
            "4:22: domains[1]: a.example is given twice; write it once");
  EXPECT_EQ(Errors(head + "domains: [\"a b\"]\n"),
            "4:11: domains[0]: 'a b' is neither a domain nor an address; "
            "write a domain or address such as example.org or 192.0.2.10");
  EXPECT_EQ(Errors(head + "domains: []\n"),
            "4:10: domains: the list has 0 items; write a list of 1 to 256");
}

}  // namespace
}  // namespace stem
