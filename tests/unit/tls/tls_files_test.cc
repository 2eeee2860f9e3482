// SPDX-License-Identifier: Apache-2.0
// What is refused before any connection, and in which words.
#include "common/tls/tls_files.h"

#include <sys/stat.h>

#include <filesystem>

#include "common/file.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/certificates.h"
#include "tests/unit/shell.h"

namespace stem {
namespace {

using testing::HasSubstr;

class TlsFilesTest : public testing::Test {
 protected:
  std::string Refusal(const TlsFiles& files, Role role = Role::kFirewall) {
    const auto identity = CheckTlsFiles(files, role);
    EXPECT_FALSE(identity.ok());
    return std::string(identity.status().message());
  }

  // A self-made certificate with the authority's key, `options` appended to openssl's.
  void Issue(const TlsFiles& files, const std::string& options) {
    const std::string ca = certificates_.Folder("ca");
    const CommandOutput made = Shell(
        fmt::format("openssl req -new -key {0} -subj /CN=x -out {1}.csr && "
                    "printf 'subjectAltName=URI:urn:stem:firewall:edge\\n{3}' > {1}.ext && "
                    "openssl x509 -req -in {1}.csr -CA {2}/ca.crt -CAkey {2}/ca.key -set_serial 7 "
                    "-extfile {1}.ext -out {1} {4}",
                    files.key, files.certificate, ca, extensions_, options));
    ASSERT_EQ(made.exit_code, 0) << made.text;
  }

  const Peer firewall_{Role::kFirewall, "edge"};
  const Peer other_{Role::kFirewall, "other"};
  Certificates certificates_{{firewall_, other_}};
  std::string extensions_;
};

TEST_F(TlsFilesTest, AcceptsWhatFits) {
  const auto identity = CheckTlsFiles(certificates_.Of(firewall_), Role::kFirewall);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->peer, firewall_);
}

TEST_F(TlsFilesTest, KeyMustBeItsOwnersAlone) {
  const TlsFiles files = certificates_.Of(firewall_);
  for (const mode_t mode : {0640u, 0604u, 0610u}) {
    ASSERT_EQ(chmod(files.key.c_str(), mode), 0);
    EXPECT_EQ(Refusal(files),
              fmt::format("{0} may be opened by others than its owner (mode {1:04o}); "
                          "mend it with: chmod 600 {0}",
                          files.key, mode));
  }
  ASSERT_EQ(chmod(files.key.c_str(), 0400), 0);
  EXPECT_TRUE(CheckTlsFiles(files, Role::kFirewall).ok());
}

TEST_F(TlsFilesTest, KeyAndCertificateMustBelongTogether) {
  TlsFiles files = certificates_.Of(firewall_);
  files.key = certificates_.Of(other_).key;
  EXPECT_EQ(Refusal(files),
            fmt::format("{} and {} do not belong together; take both from one folder",
                        files.certificate, files.key));
}

TEST_F(TlsFilesTest, RoleMustFit) {
  const TlsFiles files = certificates_.Of(firewall_);
  // Asked as a client, so that the extended key usage is no obstacle.
  EXPECT_EQ(
      Refusal(files, Role::kAdministrator),
      fmt::format("{} carries the role firewall, but administrator is needed", files.certificate));
}

TEST_F(TlsFilesTest, ExpiredAndFutureCertificates) {
  const TlsFiles files = certificates_.Of(firewall_);
  Issue(files, "-days -1");
  EXPECT_THAT(Refusal(files), testing::MatchesRegex(".*tls.crt expired on 20[0-9-]+ [0-9:]+ UTC; "
                                                    "issue a new one"));
}

TEST_F(TlsFilesTest, ForeignAuthority) {
  const Certificates foreign{{firewall_}};
  TlsFiles files = certificates_.Of(firewall_);
  files.ca = foreign.Of(firewall_).ca;
  EXPECT_THAT(Refusal(files), HasSubstr(fmt::format("{} is not a certificate of the CA in {}: ",
                                                    files.certificate, files.ca)));
}

TEST_F(TlsFilesTest, WrongExtendedKeyUsage) {
  const TlsFiles files = certificates_.Of(firewall_);
  extensions_ = "extendedKeyUsage=serverAuth\\n";
  Issue(files, "-days 2");
  EXPECT_THAT(Refusal(files), HasSubstr("unsuitable certificate purpose"));
}

TEST_F(TlsFilesTest, IdentityMustBeOneAndWellFormed) {
  const TlsFiles files = certificates_.Of(firewall_);
  extensions_ = "extendedKeyUsage=clientAuth\\n";
  Issue(files, "-days 2");
  EXPECT_TRUE(CheckTlsFiles(files, Role::kFirewall).ok());
  extensions_ = "subjectAltName=URI:urn:stem:firewall:a,URI:urn:stem:administrator:b\\n";
  Issue(files, "-days 2");
  EXPECT_THAT(Refusal(files), HasSubstr("carries a malformed or a second urn:stem identity: "
                                        "urn:stem:administrator:b"));
  extensions_ = "subjectAltName=DNS:a.example\\n";
  Issue(files, "-days 2");
  EXPECT_THAT(Refusal(files), HasSubstr("carries no identity of the form urn:stem:ROLE:IDENTITY"));
}

TEST_F(TlsFilesTest, MissingAndDamagedFiles) {
  TlsFiles files = certificates_.Of(firewall_);
  files.ca += ".missing";
  EXPECT_EQ(CheckTlsFiles(files, Role::kFirewall).status().code(), absl::StatusCode::kNotFound);
  files = certificates_.Of(firewall_);
  const std::string pem = *ReadFile(files.certificate, 1 << 16);
  ASSERT_TRUE(WriteFileAtomically(files.certificate, "hello", 0644).ok());
  EXPECT_EQ(Refusal(files), files.certificate + " holds no PEM certificate");
  ASSERT_TRUE(
      WriteFileAtomically(files.certificate, pem + "-----BEGIN CERTIFICATE-----\nAAAA\n", 0644)
          .ok());
  EXPECT_EQ(Refusal(files), files.certificate + " holds a damaged certificate after the first 1");
  ASSERT_TRUE(WriteFileAtomically(files.key, "hello", 0600).ok());
  EXPECT_EQ(Refusal(files), files.key + " holds no unencrypted PEM private key");
}

TEST_F(TlsFilesTest, ConfigurationKeys) {
  auto document = ConfigDocument::Parse("tls: {certificate: a, key: b}\n", "/etc/stem/sm.yaml");
  ASSERT_TRUE(document.ok());
  TlsFiles files;
  ReadTlsFiles(document->root().Section("tls"), files);
  EXPECT_EQ(std::string(document->Finish().message()),
            "/etc/stem/sm.yaml:1:6: tls.ca: required key is missing; write the path of a file");
  EXPECT_EQ(files.certificate, "/etc/stem/a");
  EXPECT_EQ(files.reload, std::chrono::seconds(10));
}

}  // namespace
}  // namespace stem
