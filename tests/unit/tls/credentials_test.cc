// SPDX-License-Identifier: Apache-2.0
// Real handshakes: our server and clients, and openssl as the stranger.
#include "common/tls/credentials.h"

#include <chrono>
#include <memory>
#include <thread>

#include "common/tls/request_header.h"
#include "common/tls/sm_channel.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "stem/v1/admin.grpc.pb.h"
#include "tests/unit/certificates.h"
#include "tests/unit/shell.h"

namespace stem {
namespace {

using testing::HasSubstr;

const Peer kSm{Role::kSecurityManager, "sm1"};
const Peer kAdmin{Role::kAdministrator, "admin"};
const Peer kFirewall{Role::kFirewall, "edge"};

// Answers with whom it thinks it speaks to.
class WhoAmI : public v1::Admin::Service {
  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetSmStatusRequest*,
                         v1::SmStatus* status) override {
    const auto peer = PeerOf(*context);
    status->set_version(peer.ok() ? peer->ToUri() : peer.status().ToString());
    return grpc::Status::OK;
  }
};

class CredentialsTest : public testing::Test {
 protected:
  void SetUp() override { Serve(*MakeServerCredentials(certificates_.Of(kSm))); }

  void Serve(const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(fmt::format("127.0.0.1:{}", port_), credentials, &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }

  std::string Endpoint() const { return fmt::format("127.0.0.1:{}", port_); }

  // The server's answer, or the status when the call failed.
  std::string Ask(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    v1::SmStatus answer;
    const grpc::Status status =
        v1::Admin::NewStub(channel)->GetStatus(&context, v1::GetSmStatusRequest(), &answer);
    return status.ok() ? answer.version()
                       : fmt::format("{}: {}", status.error_code(), status.error_message());
  }

  CommandOutput OpenSsl(const std::string& options) {
    const TlsFiles client = certificates_.Of(kFirewall);
    return Shell(
        fmt::format("timeout 5 openssl s_client -connect {} -cert {} -key {} -CAfile {} "
                    "-alpn h2 -verify_return_error {} </dev/null",
                    Endpoint(), client.certificate, client.key, client.ca, options));
  }

  Certificates certificates_{{kSm, kAdmin, kFirewall}};
  WhoAmI service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(CredentialsTest, ServerKnowsRoleAndIdentity) {
  for (const Peer& peer : {kAdmin, kFirewall}) {
    const auto channel = MakeSmChannel(certificates_.Of(peer), peer.role, Endpoint());
    ASSERT_TRUE(channel.ok()) << channel.status();
    EXPECT_EQ(Ask(*channel), peer.ToUri());
  }
}

TEST_F(CredentialsTest, OnlyTls13IsSpoken) {
  const CommandOutput v13 = OpenSsl("-tls1_3");
  EXPECT_THAT(v13.text, HasSubstr("New, TLSv1.3"));
  EXPECT_THAT(v13.text, HasSubstr("Verify return code: 0 (ok)"));
  const CommandOutput v12 = OpenSsl("-tls1_2");
  EXPECT_NE(v12.exit_code, 0);
  EXPECT_THAT(v12.text, HasSubstr("New, (NONE), Cipher is (NONE)"));
  // gRPC closes without sending the alert; the same hello with TLS 1.3 in it was answered above.
  const CommandOutput every_suite = OpenSsl("-tls1_2 -cipher ALL:@SECLEVEL=0");
  EXPECT_THAT(every_suite.text, HasSubstr("New, (NONE), Cipher is (NONE)"));
}

// What openssl says, as a server that speaks `version` only, when our client comes.
std::string HandshakeSeenByServer(const Certificates& certificates, const std::string& version) {
  const ScratchFolder scratch;
  const TlsFiles server = certificates.Of(kSm);
  const std::string log = scratch / "log";
  // A fifo opened both ways is an input that never ends: s_server stops at the end of its input.
  Shell(
      fmt::format("mkfifo {4}.in; (timeout 10 openssl s_server -accept 127.0.0.1:0 {0} -cert {1} "
                  "-key {2} -CAfile {3} -Verify 1 -naccept 1 -alpn h2 > {4} 2>&1 <> {4}.in & "
                  "echo $! > {4}.pid)",
                  version, server.certificate, server.key, server.ca, log));
  const std::string port =
      Shell(fmt::format(
                "for i in $(seq 100); do sed -n 's/^ACCEPT .*:\\([0-9]*\\)$/\\1/p' {} | grep . "
                "&& break; sleep 0.05; done",
                log))
          .text;
  const auto channel = MakeSmChannel(certificates.Of(kAdmin), kAdmin.role,
                                     "127.0.0.1:" + port.substr(0, port.find('\n')));
  if (!channel.ok()) return channel.status().ToString();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(3));
  v1::SmStatus answer;
  v1::Admin::NewStub(*channel)->GetStatus(&context, v1::GetSmStatusRequest(), &answer);
  return Shell(fmt::format("kill $(cat {0}.pid); cat {0}", log)).text;
}

TEST_F(CredentialsTest, OurClientOffersTls13Only) {
  EXPECT_THAT(HandshakeSeenByServer(certificates_, "-tls1_3"), HasSubstr("CIPHER is TLS_"));
  const std::string v12 = HandshakeSeenByServer(certificates_, "-tls1_2");
  EXPECT_THAT(v12, HasSubstr("no shared cipher"));
  EXPECT_THAT(v12, testing::Not(HasSubstr("CIPHER is")));
}

TEST_F(CredentialsTest, PlainTextIsRefused) {
  EXPECT_THAT(Ask(grpc::CreateChannel(Endpoint(), grpc::InsecureChannelCredentials())),
              HasSubstr("14: "));  // UNAVAILABLE
}

TEST_F(CredentialsTest, ClientWithoutCertificateIsRefused) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  options.set_certificate_verifier(std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
  EXPECT_THAT(Ask(grpc::CreateChannel(Endpoint(), grpc::experimental::TlsCredentials(options))),
              HasSubstr("14: "));
}

TEST_F(CredentialsTest, ForeignAuthorityIsRefusedByBothSides) {
  const Certificates foreign{{kSm, kAdmin}};
  const auto strict = MakeSmChannel(foreign.Of(kAdmin), kAdmin.role, Endpoint());
  ASSERT_TRUE(strict.ok()) << strict.status();
  EXPECT_THAT(Ask(*strict), HasSubstr("14: "));

  // A client that trusts our server but shows a certificate of another authority.
  const std::string both = certificates_.Folder("both.crt");
  ASSERT_EQ(
      Shell(fmt::format("cat {} {} > {}", certificates_.Of(kAdmin).ca, foreign.Of(kAdmin).ca, both))
          .exit_code,
      0);
  TlsFiles files = foreign.Of(kAdmin);
  files.ca = both;
  const auto trusting = MakeSmChannel(files, kAdmin.role, Endpoint());
  ASSERT_TRUE(trusting.ok()) << trusting.status();
  EXPECT_THAT(Ask(*trusting), HasSubstr("14: "));
}

TEST_F(CredentialsTest, ClientSpeaksToSecurityManagersOnly) {
  // A server with a good certificate of the same authority, but a firewall's role.
  const CommandOutput made = Shell(fmt::format(
      "cd {} && openssl req -new -key firewall-edge/tls.key -subj /CN=x -out x.csr && "
      "printf 'subjectAltName=URI:urn:stem:firewall:edge,IP:127.0.0.1\\n' > x.ext && "
      "openssl x509 -req -in x.csr -CA ca/ca.crt -CAkey ca/ca.key -set_serial 9 -days 1 "
      "-extfile x.ext -out firewall-edge/tls.crt",
      certificates_.Folder("")));
  ASSERT_EQ(made.exit_code, 0) << made.text;
  const TlsFiles impostor = certificates_.Of(kFirewall);
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          impostor.key, impostor.certificate, impostor.ca, 1));
  options.watch_identity_key_cert_pairs();
  server_->Shutdown();
  port_ = 0;
  Serve(grpc::experimental::TlsServerCredentials(options));
  const auto channel = MakeSmChannel(certificates_.Of(kAdmin), kAdmin.role, Endpoint());
  ASSERT_TRUE(channel.ok()) << channel.status();
  EXPECT_THAT(Ask(*channel), HasSubstr("the server's certificate carries urn:stem:firewall:edge, "
                                       "not a security manager's role"));
}

TEST_F(CredentialsTest, RenewedCertificatesAreUsedWithoutRestart) {
  const auto serial = [&] {
    return Shell(fmt::format("timeout 5 openssl s_client -connect {} </dev/null 2>/dev/null | "
                             "openssl x509 -noout -serial",
                             Endpoint()))
        .text;
  };
  const std::string before = serial();
  ASSERT_THAT(before, HasSubstr("serial="));
  certificates_.Add({kSm, kAdmin}, /*renew=*/true);
  std::string after = before;
  for (int i = 0; i < 100 && after == before; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    after = serial();
  }
  EXPECT_THAT(after, HasSubstr("serial="));
  EXPECT_NE(after, before);
  const auto channel = MakeSmChannel(certificates_.Of(kAdmin), kAdmin.role, Endpoint());
  ASSERT_TRUE(channel.ok());
  EXPECT_EQ(Ask(*channel), kAdmin.ToUri());
}

TEST_F(CredentialsTest, RestartedServerIsFoundAgainAtOnce) {
  const auto channel = MakeSmChannel(certificates_.Of(kAdmin), kAdmin.role, Endpoint());
  ASSERT_TRUE(channel.ok());
  ASSERT_EQ(Ask(*channel), kAdmin.ToUri());
  server_->Shutdown();
  server_.reset();
  EXPECT_THAT(Ask(*channel), HasSubstr("14: "));
  std::this_thread::sleep_for(std::chrono::seconds(3));  // time for a back-off to grow
  Serve(*MakeServerCredentials(certificates_.Of(kSm)));
  const auto begin = std::chrono::steady_clock::now();
  while (Ask(*channel) != kAdmin.ToUri()) {
    ASSERT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

TEST_F(CredentialsTest, WrongFilesAreRefusedBeforeAnyConnection) {
  EXPECT_THAT(
      std::string(
          MakeSmChannel(certificates_.Of(kAdmin), Role::kFirewall, Endpoint()).status().message()),
      HasSubstr("carries the role administrator, but firewall is needed"));
  EXPECT_THAT(std::string(MakeServerCredentials(certificates_.Of(kAdmin)).status().message()),
              HasSubstr("unsuitable certificate purpose"));
}

TEST(RequestHeader, NoncesDifferAndTheClockIsNow) {
  v1::RequestHeader first;
  v1::RequestHeader second;
  ASSERT_TRUE(FillRequestHeader(&first).ok());
  ASSERT_TRUE(FillRequestHeader(&second).ok());
  EXPECT_EQ(first.nonce().size(), kNonceBytes);
  EXPECT_NE(first.nonce(), second.nonce());
  EXPECT_NEAR(static_cast<double>(first.sent_unix_ms()), static_cast<double>(time(nullptr)) * 1000,
              2000);
}

}  // namespace
}  // namespace stem
