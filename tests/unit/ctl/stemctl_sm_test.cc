// SPDX-License-Identifier: Apache-2.0
// The real stemctl against an Admin service behind real mutual TLS.
#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "common/tls/credentials.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "stem/v1/admin.grpc.pb.h"
#include "tests/unit/certificates.h"
#include "tests/unit/ctl/program.h"

namespace stem::ctl {
namespace {

using testing::HasSubstr;

const Peer kSm{Role::kSecurityManager, "sm1"};
const Peer kAdmin{Role::kAdministrator, "admin"};
const Peer kFirewall{Role::kFirewall, "fw1"};

// Keeps users in memory. Refuses a request without a fresh header.
class FakeAdmin : public v1::Admin::Service {
 public:
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetSmStatusRequest* request,
                         v1::SmStatus* response) override {
    response->set_users(users_.size());
    return Checked(request->header());
  }
  grpc::Status AddUser(grpc::ServerContext*, const v1::PutUserRequest* request,
                       v1::User* response) override {
    if (users_.contains(request->user().name())) {
      return {grpc::StatusCode::ALREADY_EXISTS, "user bob exists"};
    }
    *response = users_[request->user().name()] = request->user();
    return Checked(request->header());
  }
  grpc::Status SetUser(grpc::ServerContext*, const v1::PutUserRequest* request,
                       v1::User* response) override {
    *response = users_[request->user().name()] = request->user();
    return Checked(request->header());
  }
  grpc::Status GetUser(grpc::ServerContext*, const v1::GetUserRequest* request,
                       v1::User* response) override {
    const auto found = users_.find(request->name());
    if (found == users_.end()) return {grpc::StatusCode::NOT_FOUND, "no user " + request->name()};
    *response = found->second;
    return Checked(request->header());
  }
  // At most two at a time, whatever is asked for.
  grpc::Status ListUsers(grpc::ServerContext*, const v1::ListUsersRequest* request,
                         v1::ListUsersResponse* response) override {
    for (auto user = users_.upper_bound(request->after());
         user != users_.end() && response->users_size() < 2; ++user) {
      *response->add_users() = user->second;
    }
    return Checked(request->header());
  }
  grpc::Status RemoveUser(grpc::ServerContext* context, const v1::GetUserRequest* request,
                          v1::User* response) override {
    const grpc::Status found = GetUser(context, request, response);
    if (found.ok()) users_.erase(request->name());
    return found;
  }
  grpc::Status AddSpam(grpc::ServerContext*, const v1::AddSpamRequest* request,
                       v1::SpamEntry* response) override {
    if (request->entry().value() == "nonsense") {
      return {grpc::StatusCode::INVALID_ARGUMENT, "entry.value: not an address prefix"};
    }
    v1::SpamEntry* added = spam_.add_entries();
    *added = request->entry();
    added->set_id(spam_.entries_size());
    *response = *added;
    return Checked(request->header());
  }
  grpc::Status ListSpam(grpc::ServerContext*, const v1::ListSpamRequest* request,
                        v1::ListSpamResponse* response) override {
    for (const v1::SpamEntry& entry : spam_.entries()) {
      if (request->user().empty() || entry.user() == request->user()) {
        *response->add_entries() = entry;
      }
    }
    return Checked(request->header());
  }
  grpc::Status RemoveSpam(grpc::ServerContext*, const v1::RemoveSpamRequest* request,
                          v1::SpamEntry* response) override {
    if (request->id() > spam_.entries_size()) return {grpc::StatusCode::NOT_FOUND, "no entry"};
    *response = spam_.entries(static_cast<int>(request->id() - 1));
    return Checked(request->header());
  }

  grpc::Status PutInstruction(grpc::ServerContext*, const v1::PutInstructionRequest* request,
                              v1::Instruction* response) override {
    if (request->instruction().threshold().name() == "syn_guard.sauce") {
      return {grpc::StatusCode::INVALID_ARGUMENT, "threshold.name: 'syn_guard.sauce' is none"};
    }
    v1::Instruction* added = instructions_.add_instructions();
    *added = request->instruction();
    added->set_id(instructions_.instructions_size());
    *response = *added;
    return Checked(request->header());
  }
  grpc::Status ListInstructions(grpc::ServerContext*, const v1::ListInstructionsRequest* request,
                                v1::ListInstructionsResponse* response) override {
    *response = instructions_;
    return Checked(request->header());
  }
  grpc::Status RemoveInstruction(grpc::ServerContext*, const v1::RemoveInstructionRequest* request,
                                 v1::Instruction* response) override {
    if (request->id() > instructions_.instructions_size()) {
      return {grpc::StatusCode::NOT_FOUND, "no instruction"};
    }
    *response = instructions_.instructions(static_cast<int>(request->id() - 1));
    return Checked(request->header());
  }

  std::map<std::string, v1::User> users_;
  v1::ListSpamResponse spam_;
  v1::ListInstructionsResponse instructions_;

 private:
  grpc::Status Checked(const v1::RequestHeader& header) {
    const std::lock_guard lock(mutex_);
    const bool fresh = header.sent_unix_ms() > 1'700'000'000'000 && header.nonce().size() == 16 &&
                       nonces_.insert(header.nonce()).second;
    return fresh ? grpc::Status::OK : grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "replay");
  }

  std::mutex mutex_;
  std::set<std::string> nonces_;
};

class StemctlSm : public testing::Test {
 protected:
  void SetUp() override {
    const auto credentials = MakeServerCredentials(certificates_.Of(kSm));
    ASSERT_TRUE(credentials.ok()) << credentials.status();
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", *credentials, &port_);
    builder.RegisterService(&admin_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }

  std::string Endpoint() const { return fmt::format("127.0.0.1:{}", port_); }

  Ended Ask(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(),
                     {"--sm", Endpoint(), "--tls", certificates_.Folder("administrator-admin")});
    return Stemctl(arguments);
  }
  nlohmann::json Json(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"-o", "json"});
    const Ended ended = Ask(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended.exit_code == 0 ? nlohmann::json::parse(ended.out) : nlohmann::json();
  }

  Certificates certificates_{{kSm, kAdmin, kFirewall}};
  FakeAdmin admin_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(StemctlSm, UsersComeChangeAndGo) {
  const auto added = Json({"user", "add", "--uri", "sip:bob@example.org", "--uri", "sip:b@x.org",
                           "bob", "--location", "sip:bob@198.51.100.20:5060"});
  EXPECT_EQ(added["incoming"], "INCOMING_CALLS_ACCEPT");
  EXPECT_EQ(added["uris"].size(), 2);
  EXPECT_EQ(Ask({"user", "add", "bob", "--uri", "sip:bob@example.org"}).exit_code, 1);

  // Only what is given changes.
  const auto refusing = Json(
      {"user", "set", "bob", "--incoming", "refuse", "--status", "486", "--reason", "Not now"});
  EXPECT_EQ(refusing["uris"].size(), 2);
  EXPECT_EQ(refusing["locations"].size(), 1);
  EXPECT_EQ(refusing["refuse_status"], 486);
  EXPECT_EQ(Json({"user", "set", "bob", "--reason", "Later"})["refuse_status"], 486);

  // What belonged to the former preference goes with it.
  const auto forwarding = Json(
      {"user", "set", "bob", "--incoming", "forward", "--forward-to", "sip:alice@example.org"});
  EXPECT_EQ(forwarding["forward_to"], "sip:alice@example.org");
  EXPECT_EQ(forwarding["refuse_status"], 0);
  EXPECT_EQ(forwarding["refuse_reason"], "");
  EXPECT_EQ(Ask({"user", "set", "bob", "--status", "486"}).exit_code, 2) << "bob forwards";
  EXPECT_EQ(Json({"user", "set", "bob", "--incoming", "drop"})["forward_to"], "");
  EXPECT_EQ(Json({"user", "set", "bob", "--no-locations"})["locations"].size(), 0);
  EXPECT_EQ(Json({"user", "set", "bob", "--uri", "sip:new@example.org"})["uris"],
            nlohmann::json({"sip:new@example.org"}));

  EXPECT_THAT(Ask({"user", "show", "bob"}).out, HasSubstr("incoming   drop"));
  EXPECT_EQ(Json({"user", "remove", "bob"})["name"], "bob");
  const Ended gone = Ask({"user", "show", "bob"});
  EXPECT_EQ(gone.exit_code, 1);
  EXPECT_EQ(gone.err, "stemctl: no user bob\n");
  EXPECT_EQ(Ask({"user", "set", "bob", "--incoming", "drop"}).exit_code, 1);
  EXPECT_EQ(Ask({"user", "list"}).out, "no users\n");
}

TEST_F(StemctlSm, ListsFollowEveryPage) {
  for (const char* name : {"a", "b", "c", "d", "e"}) admin_.users_[name].set_name(name);
  const auto users = Json({"user", "list"})["users"];
  ASSERT_EQ(users.size(), 5);
  EXPECT_EQ(users[4]["name"], "e");
  EXPECT_EQ(Json({"sm", "status"})["users"], "5");
  EXPECT_THAT(Ask({"sm", "status"}).out, HasSubstr("users               5"));
}

TEST_F(StemctlSm, SpamOfEachKind) {
  EXPECT_EQ(Json({"spam", "add", "--uri", "sip:bot@x"})["kind"], "SPAM_KIND_URI");
  EXPECT_EQ(Json({"spam", "add", "--domain", "x", "--user", "bob"})["kind"], "SPAM_KIND_DOMAIN");
  const auto prefix = Json({"spam", "add", "--prefix", "203.0.113.0/24", "--comment", "robots"});
  EXPECT_EQ(prefix["kind"], "SPAM_KIND_PREFIX");
  EXPECT_EQ(prefix["comment"], "robots");
  EXPECT_EQ(Json({"spam", "list"})["entries"].size(), 3);
  EXPECT_EQ(Json({"spam", "list", "--user", "bob"})["entries"].size(), 1);
  EXPECT_THAT(Ask({"spam", "remove", "3"}).out, HasSubstr("203.0.113.0/24"));
  EXPECT_EQ(Ask({"spam", "remove", "77"}).exit_code, 1);
  // Well-formed for stemctl, refused by the security manager: not a usage error.
  const Ended refused = Ask({"spam", "add", "--prefix", "nonsense"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_EQ(refused.err, "stemctl: entry.value: not an address prefix\n");
}

TEST_F(StemctlSm, InstructionsOfEachKind) {
  const auto threshold = Json({"instruction", "threshold", "syn_guard.source", "--rate", "100/s",
                               "--penalty", "10s", "--comment", "flood"})["threshold"];
  EXPECT_EQ(threshold["rate"], 100);
  EXPECT_EQ(threshold["burst"], 200) << "twice the rate";
  EXPECT_EQ(threshold["penalty_ms"], 10'000);
  const auto open = Json({"instruction", "threshold", "invite_guard.invite", "--rate", "none"});
  EXPECT_EQ(open["threshold"]["rate"], 0);
  EXPECT_EQ(open["until_unix_ms"], "0");

  const auto block = Json({"instruction", "block", "203.0.113.9", "--to", "198.51.100.20",
                           "--scope", "media", "--for", "10m"});
  EXPECT_EQ(block["block"]["scope"], "BLOCK_SCOPE_MEDIA");
  const int64_t left = std::stoll(block["until_unix_ms"].get<std::string>()) -
                       std::chrono::duration_cast<std::chrono::milliseconds>(
                           std::chrono::system_clock::now().time_since_epoch())
                           .count();
  EXPECT_GT(left, 500'000);
  EXPECT_LE(left, 600'000);

  EXPECT_EQ(Json({"instruction", "permit", "198.51.100.20", "192.0.2.10"})["permit"]["port"], 5060);
  const auto v6 = Json({"instruction", "permit", "2001:db8::1", "[2001:db8::2]:5061"})["permit"];
  EXPECT_EQ(v6["destination"], "2001:db8::2");
  EXPECT_EQ(v6["port"], 5061);

  EXPECT_EQ(Json({"instruction", "list"})["instructions"].size(), 5);
  EXPECT_THAT(Ask({"instruction", "list"}).out, HasSubstr("100/s, burst 200, penalty 10 s"));
  EXPECT_THAT(Ask({"instruction", "remove", "1"}).out, HasSubstr("syn_guard.source"));
  EXPECT_EQ(Ask({"instruction", "remove", "77"}).exit_code, 1);
  // Well-formed for stemctl, refused by the security manager.
  EXPECT_EQ(Ask({"instruction", "threshold", "syn_guard.sauce", "--rate", "1"}).exit_code, 1);
}

TEST_F(StemctlSm, InstructionsThatAreWrong) {
  const std::vector<std::vector<std::string>> wrong = {
      {"threshold", "syn_guard.source"},
      {"threshold", "syn_guard.source", "--rate", "0"},
      {"threshold", "syn_guard.source", "--rate", "-1/s"},
      {"threshold", "syn_guard.source", "--rate", "100/m"},
      {"threshold", "syn_guard.source", "--rate", "10000001/s"},
      {"threshold", "syn_guard.source", "--rate", "1", "--burst", "0"},
      {"threshold", "syn_guard.source", "--rate", "1", "--penalty", "2d"},
      {"block", "203.0.113.0/24"},
      {"block", "203.0.113.9", "--scope", "nonsense"},
      {"block", "203.0.113.9", "--for", "10 fortnights"},
      {"permit", "198.51.100.20"},
      {"permit", "198.51.100.20", "192.0.2.10:0"},
      {"permit", "198.51.100.20", "192.0.2.10:65536"},
      {"remove", "one"},
      {},
  };
  for (std::vector<std::string> arguments : wrong) {
    arguments.insert(arguments.begin(), "instruction");
    const Ended ended = Ask(arguments);
    EXPECT_EQ(ended.exit_code, 2) << testing::PrintToString(arguments);
    EXPECT_NE(ended.err, "");
  }
  EXPECT_EQ(admin_.instructions_.instructions_size(), 0);
  EXPECT_THAT(Ask({"instruction", "block", "203.0.113.0/24"}).err,
              HasSubstr("'203.0.113.0/24' is not an IPv4 or IPv6 address"));
}

TEST_F(StemctlSm, TheEnvironmentNamesIt) {
  const std::string tls = certificates_.Folder("administrator-admin");
  EXPECT_EQ(Stemctl({"user", "list"}, {{"STEM_SM", Endpoint()}, {"STEM_TLS", tls}}).exit_code, 0);
}

TEST_F(StemctlSm, AnotherRoleIsTurnedAwayBeforeItConnects) {
  const Ended ended =
      Stemctl({"--sm", Endpoint(), "--tls", certificates_.Folder("firewall-fw1"), "user", "list"});
  EXPECT_EQ(ended.exit_code, 3);
  EXPECT_THAT(ended.err, HasSubstr("carries the role firewall, but administrator is needed"));
}

TEST_F(StemctlSm, ACertificateOfAStrangeAuthority) {
  const Certificates strange({kSm, kAdmin});
  const Ended ended =
      Stemctl({"--sm", Endpoint(), "--tls", strange.Folder("administrator-admin"), "user", "list"});
  EXPECT_EQ(ended.exit_code, 3);
  EXPECT_THAT(ended.err, HasSubstr("TLS with"));
  EXPECT_THAT(ended.err, HasSubstr("ca.crt"));
}

TEST_F(StemctlSm, NobodyThere) {
  server_->Shutdown();
  const Ended refused = Ask({"user", "list"});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_EQ(refused.err, fmt::format("stemctl: no security manager listens on {}: start stem-sm, "
                                     "or name another with --sm\n",
                                     Endpoint()));
}

TEST_F(StemctlSm, PlainTextIsNotASecurityManager) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  FakeAdmin admin;
  builder.RegisterService(&admin);
  const auto server = builder.BuildAndStart();
  const Ended ended =
      Stemctl({"--sm", fmt::format("127.0.0.1:{}", port), "--tls",
               certificates_.Folder("administrator-admin"), "--timeout", "3", "user", "list"});
  EXPECT_EQ(ended.exit_code, 3) << ended.err;
}

TEST(StemctlPki, MakesAWorkingSet) {
  const ScratchFolder folder;
  const std::string directory = folder / "pki";
  const Ended made =
      Stemctl({"pki", "init", "--dir", directory, "--sm-name", "sm1", "--sm-address", "127.0.0.1",
               "--sm-address", "sm.example.org", "--firewall", "fw1", "--administrator", "admin"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("security-manager-sm1  made"));
  const TlsFiles files{.certificate = directory + "/administrator-admin/tls.crt",
                       .key = directory + "/administrator-admin/tls.key",
                       .ca = directory + "/administrator-admin/ca.crt"};
  EXPECT_TRUE(CheckTlsFiles(files, Role::kAdministrator).ok());
  // Again, with one more: what is there stays.
  const Ended more = Stemctl(
      {"pki", "init", "--dir", directory, "--firewall", "fw1", "--firewall", "fw2", "-o", "json"});
  ASSERT_EQ(more.exit_code, 0) << more.err;
  const auto json = nlohmann::json::parse(more.out);
  EXPECT_EQ(json["made"], nlohmann::json({directory + "/firewall-fw2"}));
  EXPECT_EQ(json["kept"], nlohmann::json({directory + "/firewall-fw1"}));
  EXPECT_EQ(json["made_ca"], false);
}

}  // namespace
}  // namespace stem::ctl
