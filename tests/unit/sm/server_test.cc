// SPDX-License-Identifier: Apache-2.0
// The security manager's door and services, over real mutual TLS.
#include <atomic>
#include <thread>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "tests/unit/shell.h"
#include "tests/unit/sm/sm_fixture.h"

namespace stem {
namespace {

using testing::HasSubstr;

class SmServerTest : public SmFixture {
 protected:
  v1::DecideRequest Question(const std::string& request_uri) {
    auto request = Fresh<v1::DecideRequest>();
    request.set_request_uri(request_uri);
    request.set_caller("sip:carol@caller.example");
    request.mutable_source()->set_address("192.0.2.10");
    request.mutable_source()->set_port(5060);
    return request;
  }

  grpc::Status StatusWith(const std::shared_ptr<grpc::Channel>& channel,
                          const v1::GetSmStatusRequest& request) {
    v1::SmStatus status;
    return Call(*v1::Admin::NewStub(channel), &v1::Admin::Stub::GetStatus, request, &status);
  }
};

TEST_F(SmServerTest, PlainTextAndForeignAuthorityAreRefused) {
  const auto plain =
      grpc::CreateChannel(config_.listen.ToString(), grpc::InsecureChannelCredentials());
  EXPECT_EQ(StatusWith(plain, Fresh<v1::GetSmStatusRequest>()).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  const Certificates foreign{{kAdmin}};
  TlsFiles files = foreign.Of(kAdmin);
  const std::string both = foreign.Folder("both.crt");
  ASSERT_EQ(Shell(fmt::format("cat {} {} > {}", files.ca, config_.tls.ca, both)).exit_code, 0);
  files.ca = both;  // trusts our server, shows a stranger's certificate
  const auto stranger = MakeSmChannel(files, kAdmin.role, config_.listen.ToString());
  ASSERT_TRUE(stranger.ok()) << stranger.status();
  EXPECT_EQ(StatusWith(*stranger, Fresh<v1::GetSmStatusRequest>()).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(StatusWith(ChannelOf(kAdmin), Fresh<v1::GetSmStatusRequest>()).ok());
}

TEST_F(SmServerTest, Tls12IsRefused) {
  const TlsFiles client = certificates_.Of(kAdmin);
  const auto handshake = [&](const std::string& version) {
    return Shell(fmt::format(
                     "timeout 5 openssl s_client -connect {} -cert {} -key {} -CAfile {} {} "
                     "</dev/null",
                     config_.listen.ToString(), client.certificate, client.key, client.ca, version))
        .text;
  };
  EXPECT_THAT(handshake("-tls1_3"), HasSubstr("New, TLSv1.3"));
  EXPECT_THAT(handshake("-tls1_2"), HasSubstr("New, (NONE)"));
}

TEST_F(SmServerTest, EachRpcSaysWhichRoleItNeeds) {
  const auto firewall = v1::Firewall::NewStub(ChannelOf(kAdmin));
  v1::DecideResponse decision;
  grpc::Status status =
      Call(*firewall, &v1::Firewall::Stub::Decide, Question("sip:a@example.org"), &decision);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(
      status.error_message(),
      "this needs the role firewall; the certificate of admin carries the role administrator");

  for (const Peer& peer : {kEdge1, kTerminal}) {
    const auto admin = v1::Admin::NewStub(ChannelOf(peer));
    const auto denied = [&](auto method, const auto& request, auto response) {
      const grpc::Status refused = Call(*admin, method, request, &response);
      EXPECT_EQ(refused.error_code(), grpc::StatusCode::PERMISSION_DENIED);
      EXPECT_THAT(refused.error_message(), HasSubstr("this needs the role administrator"));
    };
    using Stub = v1::Admin::Stub;
    denied(&Stub::GetStatus, Fresh<v1::GetSmStatusRequest>(), v1::SmStatus());
    denied(&Stub::AddUser, Fresh<v1::PutUserRequest>(), v1::User());
    denied(&Stub::SetUser, Fresh<v1::PutUserRequest>(), v1::User());
    denied(&Stub::GetUser, Fresh<v1::GetUserRequest>(), v1::User());
    denied(&Stub::ListUsers, Fresh<v1::ListUsersRequest>(), v1::ListUsersResponse());
    denied(&Stub::RemoveUser, Fresh<v1::GetUserRequest>(), v1::User());
    denied(&Stub::AddSpam, Fresh<v1::AddSpamRequest>(), v1::SpamEntry());
    denied(&Stub::ListSpam, Fresh<v1::ListSpamRequest>(), v1::ListSpamResponse());
    denied(&Stub::RemoveSpam, Fresh<v1::RemoveSpamRequest>(), v1::SpamEntry());
  }
}

TEST_F(SmServerTest, ReplayedStaleAndBareRequestsAreRefused) {
  const auto channel = ChannelOf(kAdmin);
  const auto request = Fresh<v1::GetSmStatusRequest>();
  EXPECT_TRUE(StatusWith(channel, request).ok());
  const grpc::Status replayed = StatusWith(channel, request);
  EXPECT_EQ(replayed.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_THAT(replayed.error_message(), HasSubstr("header.nonce was used before"));
  for (const int64_t shift : {-31'000, 31'000}) {
    auto shifted = Fresh<v1::GetSmStatusRequest>();
    shifted.mutable_header()->set_sent_unix_ms(shifted.header().sent_unix_ms() + shift);
    const grpc::Status refused = StatusWith(channel, shifted);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    EXPECT_THAT(refused.error_message(), HasSubstr("synchronise both clocks"));
  }
  EXPECT_EQ(StatusWith(channel, v1::GetSmStatusRequest()).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);

  const auto firewall = v1::Firewall::NewStub(ChannelOf(kEdge1));
  const v1::DecideRequest question = Question("sip:a@example.org");
  v1::DecideResponse decision;
  EXPECT_TRUE(Call(*firewall, &v1::Firewall::Stub::Decide, question, &decision).ok());
  EXPECT_EQ(Call(*firewall, &v1::Firewall::Stub::Decide, question, &decision).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Status().decisions(), 1u);
}

TEST_F(SmServerTest, AdministratorKeepsUsers) {
  v1::Admin::Stub& admin = *admin_stub();
  ASSERT_TRUE(AddUser(TestUser("alice")).ok());
  EXPECT_EQ(AddUser(TestUser("alice")).error_code(), grpc::StatusCode::ALREADY_EXISTS);
  const grpc::Status invalid = AddUser(ForwardingUser("bob", ""));
  EXPECT_EQ(invalid.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(invalid.error_message(),
            "user.forward_to: is missing; write the URI to forward calls to");
  ASSERT_TRUE(AddUser(ForwardingUser("bob", "sip:alice@example.org")).ok());
  EXPECT_EQ(SetUser(ForwardingUser("alice", "sip:bob@example.org")).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(SetUser(TestUser("nobody")).error_code(), grpc::StatusCode::NOT_FOUND);

  auto get = Fresh<v1::GetUserRequest>();
  get.set_name("bob");
  v1::User user;
  ASSERT_TRUE(Call(admin, &v1::Admin::Stub::GetUser, get, &user).ok());
  EXPECT_EQ(user.forward_to(), "sip:alice@example.org");

  auto list = Fresh<v1::ListUsersRequest>();
  list.set_page_size(1);
  v1::ListUsersResponse page;
  ASSERT_TRUE(Call(admin, &v1::Admin::Stub::ListUsers, list, &page).ok());
  ASSERT_EQ(page.users_size(), 1);
  EXPECT_EQ(page.users(0).name(), "alice");

  get = Fresh<v1::GetUserRequest>();
  get.set_name("bob");
  ASSERT_TRUE(Call(admin, &v1::Admin::Stub::RemoveUser, get, &user).ok());
  get = Fresh<v1::GetUserRequest>();
  get.set_name("bob");
  EXPECT_EQ(Call(admin, &v1::Admin::Stub::GetUser, get, &user).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(SmServerTest, AdministratorKeepsSpamEntriesAndFirewallObeys) {
  ASSERT_TRUE(AddUser(TestUser("alice")).ok());
  auto add = Fresh<v1::AddSpamRequest>();
  *add.mutable_entry() = Spam(v1::SPAM_KIND_DOMAIN, "caller.example").entry;
  v1::SpamEntry entry;
  ASSERT_TRUE(Call(*admin_stub(), &v1::Admin::Stub::AddSpam, add, &entry).ok());

  const auto firewall = v1::Firewall::NewStub(ChannelOf(kEdge1));
  v1::DecideResponse decision;
  ASSERT_TRUE(
      Call(*firewall, &v1::Firewall::Stub::Decide, Question("sip:alice@example.org"), &decision)
          .ok());
  EXPECT_EQ(decision.status(), 403u);
  v1::ListSpamResponse list;
  ASSERT_TRUE(
      Call(*admin_stub(), &v1::Admin::Stub::ListSpam, Fresh<v1::ListSpamRequest>(), &list).ok());
  ASSERT_EQ(list.entries_size(), 1);
  EXPECT_EQ(list.entries(0).hits(), 1);

  auto remove = Fresh<v1::RemoveSpamRequest>();
  remove.set_id(entry.id());
  ASSERT_TRUE(Call(*admin_stub(), &v1::Admin::Stub::RemoveSpam, remove, &entry).ok());
  remove = Fresh<v1::RemoveSpamRequest>();
  EXPECT_EQ(Call(*admin_stub(), &v1::Admin::Stub::RemoveSpam, remove, &entry).error_message(),
            "id: 0 is no entry; write the id that ListSpam shows");
  ASSERT_TRUE(
      Call(*firewall, &v1::Firewall::Stub::Decide, Question("sip:alice@example.org"), &decision)
          .ok());
  EXPECT_EQ(decision.verdict(), v1::VERDICT_ACCEPT);
}

TEST_F(SmServerTest, StateSurvivesARestart) {
  ASSERT_TRUE(AddUser(TestUser("alice")).ok());
  Restart();
  const v1::SmStatus status = Status();
  EXPECT_EQ(status.users(), 1u);
  EXPECT_EQ(status.version(), "test");
  EXPECT_EQ(status.database(), config_.database);
  EXPECT_EQ(status.decisions(), 0u);
}

TEST_F(SmServerTest, AddressInUseIsAnError) {
  SmConfig second = config_;
  second.database = scratch_ / "second.db";
  const auto refused = SmServer::Start(second, "test");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr(fmt::format("cannot listen on {}", config_.listen.ToString())));
}

TEST_F(SmServerTest, RequestsAboveTheSizeLimitAreRefused) {
  auto request = Question("sip:alice@example.org");
  request.set_user_agent(std::string(config_.server.request_bytes + 1, 'x'));
  v1::DecideResponse decision;
  EXPECT_EQ(Call(*v1::Firewall::NewStub(ChannelOf(kEdge1)), &v1::Firewall::Stub::Decide, request,
                 &decision)
                .error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(SmServerTest, ManyFirewallsAskWhileAnAdministratorChanges) {
  ASSERT_TRUE(AddUser(TestUser("alice")).ok());
  std::atomic<int> accepted = 0;
  std::vector<std::thread> threads;
  for (const Peer& peer : {kEdge1, kEdge2, kEdge1, kEdge2}) {
    threads.emplace_back([&, channel = ChannelOf(peer)] {
      const auto firewall = v1::Firewall::NewStub(channel);
      for (int i = 0; i < 50; ++i) {
        v1::DecideResponse decision;
        const grpc::Status status = Call(*firewall, &v1::Firewall::Stub::Decide,
                                         Question("sip:alice@example.org"), &decision);
        if (status.ok() && decision.verdict() == v1::VERDICT_ACCEPT) ++accepted;
      }
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(AddUser(TestUser(fmt::format("u{}", i))).ok());
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(accepted, 200);
  EXPECT_EQ(Status().decisions(), 200u);
}

}  // namespace
}  // namespace stem
