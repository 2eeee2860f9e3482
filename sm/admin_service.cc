// SPDX-License-Identifier: Apache-2.0
#include "sm/admin_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "sm/field_rules.h"
#include "sm/instruction_record.h"
#include "sm/spam_key.h"
#include "sm/user_record.h"

namespace stem {
namespace {

constexpr uint32_t kMaxPage = 1000;

int64_t UnixMilliseconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string UserText(const v1::User& user) { return fmt::format("user {}", user.name()); }

}  // namespace

AdminService::AdminService(AdminServiceParts parts)
    : parts_(std::move(parts)), started_unix_ms_(UnixMilliseconds()) {}

template <typename Request, typename Response, typename Work>
AdminService::Unary* AdminService::Answer(Context* context, const Request& request,
                                          Response* response, const Work& work) {
  Unary* reactor = context->DefaultReactor();
  const absl::StatusOr<Peer> peer =
      parts_.entrance->Check(*context, {Role::kAdministrator}, request.header());
  if (!peer.ok()) {
    reactor->Finish(ToGrpc(peer.status()));
    return reactor;
  }
  absl::StatusOr<Response> result = work(*peer);
  const absl::Status status = result.status();
  if (status.ok()) *response = *std::move(result);
  reactor->Finish(ToGrpc(status));
  return reactor;
}

void AdminService::PolicyChanged(const Peer& peer, const char* done, const std::string& what) {
  spdlog::info("administrator {} {} {}", peer.identity, done, what);
  parts_.feed->PolicyChanged();
}

AdminService::Unary* AdminService::GetStatus(Context* context,
                                             const v1::GetSmStatusRequest* request,
                                             v1::SmStatus* response) {
  return Answer(context, *request, response, [&](const Peer&) -> absl::StatusOr<v1::SmStatus> {
    ASSIGN_OR_RETURN(const StoreCounts counts, parts_.store->Count());
    v1::SmStatus status;
    status.set_version(parts_.version);
    status.set_started_unix_ms(started_unix_ms_);
    status.set_users(counts.users);
    status.set_spam_entries(counts.spam_entries);
    status.set_decisions(parts_.firewall->decisions());
    status.set_database(parts_.store->Description());
    for (v1::WatchingFirewall& watching : parts_.feed->Watching()) {
      status.add_firewalls(watching.identity());
      *status.add_watching() = std::move(watching);
    }
    return status;
  });
}

AdminService::Unary* AdminService::AddUser(Context* context, const v1::PutUserRequest* request,
                                           v1::User* response) {
  return Answer(context, *request, response, [&](const Peer& peer) -> absl::StatusOr<v1::User> {
    ASSIGN_OR_RETURN(UserRecord record, ToUserRecord(request->user(), parts_.domains));
    RETURN_IF_ERROR(parts_.store->AddUser(record));
    PolicyChanged(peer, "added", UserText(record.user));
    return std::move(record.user);
  });
}

AdminService::Unary* AdminService::SetUser(Context* context, const v1::PutUserRequest* request,
                                           v1::User* response) {
  return Answer(context, *request, response, [&](const Peer& peer) -> absl::StatusOr<v1::User> {
    ASSIGN_OR_RETURN(UserRecord record, ToUserRecord(request->user(), parts_.domains));
    RETURN_IF_ERROR(parts_.store->SetUser(record));
    PolicyChanged(peer, "changed", UserText(record.user));
    return std::move(record.user);
  });
}

AdminService::Unary* AdminService::GetUser(Context* context, const v1::GetUserRequest* request,
                                           v1::User* response) {
  return Answer(context, *request, response, [&](const Peer&) -> absl::StatusOr<v1::User> {
    RETURN_IF_ERROR(CheckUserName("name", request->name()));
    return parts_.store->GetUser(request->name());
  });
}

AdminService::Unary* AdminService::ListUsers(Context* context, const v1::ListUsersRequest* request,
                                             v1::ListUsersResponse* response) {
  return Answer(
      context, *request, response, [&](const Peer&) -> absl::StatusOr<v1::ListUsersResponse> {
        const uint32_t size =
            request->page_size() == 0 ? kMaxPage : std::min(request->page_size(), kMaxPage);
        ASSIGN_OR_RETURN(std::vector<v1::User> users,
                         parts_.store->ListUsers(request->after(), size));
        v1::ListUsersResponse page;
        for (v1::User& user : users) *page.add_users() = std::move(user);
        return page;
      });
}

AdminService::Unary* AdminService::RemoveUser(Context* context, const v1::GetUserRequest* request,
                                              v1::User* response) {
  return Answer(context, *request, response, [&](const Peer& peer) -> absl::StatusOr<v1::User> {
    RETURN_IF_ERROR(CheckUserName("name", request->name()));
    ASSIGN_OR_RETURN(v1::User user, parts_.store->RemoveUser(request->name()));
    PolicyChanged(peer, "removed", UserText(user));
    return user;
  });
}

AdminService::Unary* AdminService::AddSpam(Context* context, const v1::AddSpamRequest* request,
                                           v1::SpamEntry* response) {
  return Answer(context, *request, response,
                [&](const Peer& peer) -> absl::StatusOr<v1::SpamEntry> {
                  ASSIGN_OR_RETURN(const SpamRecord record, ToSpamRecord(request->entry()));
                  ASSIGN_OR_RETURN(v1::SpamEntry entry, parts_.store->AddSpam(record));
                  spdlog::info("administrator {} added spam entry {}: {}", peer.identity,
                               entry.id(), SpamText(entry));
                  return entry;
                });
}

AdminService::Unary* AdminService::ListSpam(Context* context, const v1::ListSpamRequest* request,
                                            v1::ListSpamResponse* response) {
  return Answer(context, *request, response,
                [&](const Peer&) -> absl::StatusOr<v1::ListSpamResponse> {
                  if (!request->user().empty()) {
                    RETURN_IF_ERROR(CheckUserName("user", request->user()));
                    RETURN_IF_ERROR(parts_.store->GetUser(request->user()).status());
                  }
                  ASSIGN_OR_RETURN(std::vector<v1::SpamEntry> entries,
                                   parts_.store->ListSpam(request->user()));
                  v1::ListSpamResponse list;
                  for (v1::SpamEntry& entry : entries) *list.add_entries() = std::move(entry);
                  return list;
                });
}

AdminService::Unary* AdminService::RemoveSpam(Context* context,
                                              const v1::RemoveSpamRequest* request,
                                              v1::SpamEntry* response) {
  return Answer(context, *request, response,
                [&](const Peer& peer) -> absl::StatusOr<v1::SpamEntry> {
                  if (request->id() <= 0) {
                    return WrongField("id", fmt::format("{} is no entry", request->id()),
                                      "the id that ListSpam shows");
                  }
                  ASSIGN_OR_RETURN(v1::SpamEntry entry, parts_.store->RemoveSpam(request->id()));
                  spdlog::info("administrator {} removed spam entry {}: {}", peer.identity,
                               entry.id(), SpamText(entry));
                  return entry;
                });
}

AdminService::Unary* AdminService::PutInstruction(Context* context,
                                                  const v1::PutInstructionRequest* request,
                                                  v1::Instruction* response) {
  return Answer(
      context, *request, response, [&](const Peer& peer) -> absl::StatusOr<v1::Instruction> {
        const int64_t now = UnixMilliseconds();
        ASSIGN_OR_RETURN(const InstructionRecord record,
                         ToInstructionRecord(request->instruction(), now));
        ASSIGN_OR_RETURN(v1::Instruction stored, parts_.store->PutInstruction(record, now));
        PolicyChanged(peer, "instructs:", InstructionText(stored));
        return stored;
      });
}

AdminService::Unary* AdminService::ListInstructions(Context* context,
                                                    const v1::ListInstructionsRequest* request,
                                                    v1::ListInstructionsResponse* response) {
  return Answer(context, *request, response,
                [&](const Peer&) -> absl::StatusOr<v1::ListInstructionsResponse> {
                  ASSIGN_OR_RETURN(std::vector<v1::Instruction> instructions,
                                   parts_.store->ListInstructions());
                  v1::ListInstructionsResponse list;
                  for (v1::Instruction& instruction : instructions) {
                    *list.add_instructions() = std::move(instruction);
                  }
                  return list;
                });
}

AdminService::Unary* AdminService::RemoveInstruction(Context* context,
                                                     const v1::RemoveInstructionRequest* request,
                                                     v1::Instruction* response) {
  return Answer(context, *request, response,
                [&](const Peer& peer) -> absl::StatusOr<v1::Instruction> {
                  ASSIGN_OR_RETURN(v1::Instruction instruction,
                                   parts_.store->RemoveInstruction(request->id()));
                  PolicyChanged(peer, "takes back:", InstructionText(instruction));
                  return instruction;
                });
}

}  // namespace stem
