// SPDX-License-Identifier: Apache-2.0
// The Admin service of proto/stem/v1: what an administrator does. Role of every RPC: administrator.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sm/entrance.h"
#include "sm/firewall_service.h"
#include "sm/policy_feed.h"
#include "sm/store/store.h"
#include "stem/v1/admin.grpc.pb.h"

namespace stem {

struct AdminServiceParts {
  Entrance* entrance = nullptr;
  Store* store = nullptr;
  PolicyFeed* feed = nullptr;
  const FirewallService* firewall = nullptr;
  std::vector<std::string> domains;  // served, canonical
  std::string version;               // of this program
};

class AdminService : public v1::Admin::CallbackService {
 public:
  explicit AdminService(AdminServiceParts parts);

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* GetStatus(Context*, const v1::GetSmStatusRequest*, v1::SmStatus*) override;
  Unary* AddUser(Context*, const v1::PutUserRequest*, v1::User*) override;
  Unary* SetUser(Context*, const v1::PutUserRequest*, v1::User*) override;
  Unary* GetUser(Context*, const v1::GetUserRequest*, v1::User*) override;
  Unary* ListUsers(Context*, const v1::ListUsersRequest*, v1::ListUsersResponse*) override;
  Unary* RemoveUser(Context*, const v1::GetUserRequest*, v1::User*) override;
  Unary* AddSpam(Context*, const v1::AddSpamRequest*, v1::SpamEntry*) override;
  Unary* ListSpam(Context*, const v1::ListSpamRequest*, v1::ListSpamResponse*) override;
  Unary* RemoveSpam(Context*, const v1::RemoveSpamRequest*, v1::SpamEntry*) override;
  Unary* PutInstruction(Context*, const v1::PutInstructionRequest*, v1::Instruction*) override;
  Unary* ListInstructions(Context*, const v1::ListInstructionsRequest*,
                          v1::ListInstructionsResponse*) override;
  Unary* RemoveInstruction(Context*, const v1::RemoveInstructionRequest*,
                           v1::Instruction*) override;

 private:
  // Checks the caller, runs `work(peer)`, and finishes the RPC with its result.
  template <typename Request, typename Response, typename Work>
  Unary* Answer(Context* context, const Request& request, Response* response, const Work& work);

  // After something that firewalls keep was written: tells them, and leaves a line in the log.
  void PolicyChanged(const Peer& peer, const char* done, const std::string& what);

  const AdminServiceParts parts_;
  const int64_t started_unix_ms_;
};

}  // namespace stem
