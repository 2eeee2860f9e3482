// SPDX-License-Identifier: Apache-2.0
// A real security manager in this process, with real certificates, and clients of every role.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "common/tls/request_header.h"
#include "common/tls/sm_channel.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "sm/server.h"
#include "stem/v1/admin.grpc.pb.h"
#include "stem/v1/firewall.grpc.pb.h"
#include "tests/unit/certificates.h"
#include "tests/unit/scratch_folder.h"
#include "tests/unit/sm/records.h"

namespace stem {

inline const Peer kSm{Role::kSecurityManager, "sm1"};
inline const Peer kAdmin{Role::kAdministrator, "admin"};
inline const Peer kEdge1{Role::kFirewall, "edge1"};
inline const Peer kEdge2{Role::kFirewall, "edge2"};
inline const Peer kTerminal{Role::kTerminal, "alice"};

class SmFixture : public testing::Test {
 protected:
  void SetUp() override {
    config_.listen = *Endpoint::Parse("127.0.0.1:0");
    config_.tls = certificates_.Of(kSm);
    config_.database = scratch_ / "sm.db";
    config_.domains = TestDomains();
    Start();
  }

  void Start() {
    auto server = SmServer::Start(config_, "test");
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    config_.listen = server_->listening_on();
  }

  void Restart() {
    server_.reset();
    Start();
  }

  std::shared_ptr<grpc::Channel> ChannelOf(const Peer& peer) {
    return MakeSmChannel(certificates_.Of(peer), peer.role, config_.listen.ToString()).value();
  }

  template <typename Request>
  static Request Fresh() {
    Request request;
    EXPECT_TRUE(FillRequestHeader(request.mutable_header()).ok());
    return request;
  }

  // One unary call with a deadline: Call(stub, &Stub::Method, request, &response).
  template <typename Stub, typename Method, typename Request, typename Response>
  static grpc::Status Call(Stub& stub, Method method, const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    return (stub.*method)(&context, request, response);
  }

  grpc::Status AddUser(const v1::User& user) {
    auto request = Fresh<v1::PutUserRequest>();
    *request.mutable_user() = user;
    v1::User added;
    return Call(*admin_stub(), &v1::Admin::Stub::AddUser, request, &added);
  }

  grpc::Status SetUser(const v1::User& user) {
    auto request = Fresh<v1::PutUserRequest>();
    *request.mutable_user() = user;
    v1::User changed;
    return Call(*admin_stub(), &v1::Admin::Stub::SetUser, request, &changed);
  }

  v1::SmStatus Status() {
    v1::SmStatus status;
    const grpc::Status called =
        Call(*admin_stub(), &v1::Admin::Stub::GetStatus, Fresh<v1::GetSmStatusRequest>(), &status);
    EXPECT_TRUE(called.ok()) << called.error_message();
    return status;
  }

  v1::Admin::Stub* admin_stub() {
    if (admin_ == nullptr) admin_ = v1::Admin::NewStub(ChannelOf(kAdmin));
    return admin_.get();
  }

  Certificates certificates_{{kSm, kAdmin, kEdge1, kEdge2, kTerminal}};
  ScratchFolder scratch_;
  SmConfig config_;
  std::unique_ptr<SmServer> server_;
  std::unique_ptr<v1::Admin::Stub> admin_;
};

}  // namespace stem
