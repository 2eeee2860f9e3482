// SPDX-License-Identifier: Apache-2.0
// The authority and its leaves, judged by OpenSSL's own verifier and command line.
#include "ctl/pki/pki.h"

#include <sys/stat.h>

#include "common/file.h"
#include "common/tls/tls_files.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/scratch_folder.h"
#include "tests/unit/shell.h"

namespace stem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

unsigned ModeOf(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

class PkiTest : public testing::Test {
 protected:
  PkiTest() {
    plan_.directory = scratch_ / "a/pki";
    plan_.leaves = {{{Role::kSecurityManager, "sm1"},
                     {"sm.example.org"},
                     {*IpAddress::Parse("192.0.2.7"), *IpAddress::Parse("2001:db8::7")}},
                    {{Role::kFirewall, "edge1"}, {}, {}},
                    {{Role::kAdministrator, "admin"}, {}, {}}};
  }

  std::string File(const std::string& name) const { return plan_.directory + "/" + name; }
  TlsFiles Files(const std::string& folder) const {
    return {File(folder + "/tls.crt"), File(folder + "/tls.key"), File(folder + "/ca.crt")};
  }

  ScratchFolder scratch_;
  PkiPlan plan_;
};

TEST_F(PkiTest, MakesEverythingWithRightModes) {
  const auto report = InitPki(plan_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->made_ca);
  EXPECT_THAT(report->made, ElementsAre(File("security-manager-sm1"), File("firewall-edge1"),
                                        File("administrator-admin")));
  EXPECT_THAT(report->kept, IsEmpty());
  EXPECT_EQ(ModeOf(plan_.directory), 0700u);
  for (const std::string folder : {"ca", "security-manager-sm1", "firewall-edge1"}) {
    EXPECT_EQ(ModeOf(File(folder)), 0700u) << folder;
  }
  EXPECT_EQ(ModeOf(File("ca/ca.key")), 0600u);
  EXPECT_EQ(ModeOf(File("firewall-edge1/tls.key")), 0600u);
  EXPECT_EQ(ModeOf(File("firewall-edge1/tls.crt")), 0644u);
  for (const auto& entry : std::filesystem::directory_iterator(plan_.directory)) {
    EXPECT_NE(entry.path().filename().string().front(), '.') << "left over: " << entry.path();
  }
}

TEST_F(PkiTest, CertificatesSayWhatTheyShould) {
  ASSERT_TRUE(InitPki(plan_).ok());
  const CommandOutput server =
      Shell("openssl x509 -noout -text -in " + File("security-manager-sm1/tls.crt"));
  EXPECT_THAT(server.text, HasSubstr("URI:urn:stem:security-manager:sm1, DNS:sm.example.org, "
                                     "IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7"));
  EXPECT_THAT(server.text, HasSubstr("TLS Web Server Authentication"));
  EXPECT_THAT(server.text, HasSubstr("NIST CURVE: P-256"));
  EXPECT_THAT(server.text, HasSubstr("ecdsa-with-SHA256"));
  EXPECT_THAT(server.text, HasSubstr("CA:FALSE"));
  const CommandOutput client =
      Shell("openssl x509 -noout -text -in " + File("firewall-edge1/tls.crt"));
  EXPECT_THAT(client.text, HasSubstr("URI:urn:stem:firewall:edge1"));
  EXPECT_THAT(client.text, HasSubstr("TLS Web Client Authentication"));
  EXPECT_THAT(client.text, testing::Not(HasSubstr("TLS Web Server Authentication")));
  const CommandOutput verify = Shell(
      fmt::format("openssl verify -x509_strict -purpose sslserver -verify_hostname sm.example.org "
                  "-CAfile {} {}",
                  File("ca/ca.crt"), File("security-manager-sm1/tls.crt")));
  EXPECT_EQ(verify.exit_code, 0) << verify.text;
}

TEST_F(PkiTest, LeavesPassOurOwnCheck) {
  ASSERT_TRUE(InitPki(plan_).ok());
  const auto identity = CheckTlsFiles(Files("firewall-edge1"), Role::kFirewall);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->peer, (Peer{Role::kFirewall, "edge1"}));
  const time_t days = (identity->not_after - time(nullptr)) / 86400;
  EXPECT_GE(days, 824);
  EXPECT_LE(days, 825);
}

TEST_F(PkiTest, AddsUnderTheSameAuthorityAndKeepsWhatIsThere) {
  ASSERT_TRUE(InitPki(plan_).ok());
  const std::string authority = *ReadFile(File("ca/ca.crt"), 1 << 16);
  const std::string edge1 = *ReadFile(File("firewall-edge1/tls.crt"), 1 << 16);
  plan_.leaves = {{{Role::kFirewall, "edge1"}, {}, {}}, {{Role::kFirewall, "edge2"}, {}, {}}};
  const auto report = InitPki(plan_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->made_ca);
  EXPECT_THAT(report->kept, ElementsAre(File("firewall-edge1")));
  EXPECT_THAT(report->made, ElementsAre(File("firewall-edge2")));
  EXPECT_EQ(*ReadFile(File("ca/ca.crt"), 1 << 16), authority);
  EXPECT_EQ(*ReadFile(File("firewall-edge1/tls.crt"), 1 << 16), edge1);
  EXPECT_TRUE(CheckTlsFiles(Files("firewall-edge2"), Role::kFirewall).ok());
}

TEST_F(PkiTest, RenewsWhenAsked) {
  ASSERT_TRUE(InitPki(plan_).ok());
  const std::string before = *ReadFile(File("firewall-edge1/tls.key"), 1 << 16);
  plan_.leaves = {{{Role::kFirewall, "edge1"}, {}, {}}};
  plan_.renew = true;
  const auto report = InitPki(plan_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->renewed, ElementsAre(File("firewall-edge1")));
  EXPECT_NE(*ReadFile(File("firewall-edge1/tls.key"), 1 << 16), before);
  EXPECT_EQ(ModeOf(File("firewall-edge1/tls.key")), 0600u);
  EXPECT_TRUE(CheckTlsFiles(Files("firewall-edge1"), Role::kFirewall).ok());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(plan_.directory), {}), 4);
}

TEST_F(PkiTest, LeafNeverOutlivesTheAuthority) {
  plan_.ca_days = 10;
  ASSERT_TRUE(InitPki(plan_).ok());
  const auto identity = CheckTlsFiles(Files("firewall-edge1"), Role::kFirewall);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_LE(identity->not_after, time(nullptr) + 10 * 86400);
}

TEST_F(PkiTest, RefusesAnAuthorityWhoseKeyOthersCanRead) {
  ASSERT_TRUE(InitPki(plan_).ok());
  ASSERT_EQ(chmod(File("ca/ca.key").c_str(), 0640), 0);
  const auto report = InitPki(plan_);
  EXPECT_EQ(report.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(report.status().message()),
              HasSubstr(fmt::format("mend it with: chmod 600 {}", File("ca/ca.key"))));
}

TEST_F(PkiTest, RefusesHalfAnAuthority) {
  ASSERT_TRUE(InitPki(plan_).ok());
  std::filesystem::remove(File("ca/ca.key"));
  EXPECT_EQ(InitPki(plan_).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(PkiTest, RefusesPlansThatMakeNoSense) {
  const auto message = [](const PkiPlan& plan) {
    const auto report = InitPki(plan);
    EXPECT_EQ(report.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(report.status().message());
  };
  PkiPlan plan = plan_;
  plan.leaves[1].peer.identity = "../x";
  EXPECT_THAT(message(plan), HasSubstr("'../x' is not an identity"));
  plan = plan_;
  plan.leaves[0].dns_names = {"a b"};
  EXPECT_THAT(message(plan), HasSubstr("'a b' is not a DNS name"));
  plan = plan_;
  plan.leaves.push_back(plan.leaves[1]);
  EXPECT_EQ(message(plan), "firewall-edge1 is asked for twice");
  plan = plan_;
  plan.leaf_days = 0;
  EXPECT_EQ(message(plan), "a validity of 0 days is impossible; write 1 to 36500");
  plan = plan_;
  plan.directory.clear();
  EXPECT_EQ(message(plan), "no directory was given");
  EXPECT_FALSE(std::filesystem::exists(plan_.directory)) << "nothing may be written";
}

}  // namespace
}  // namespace stem
