// SPDX-License-Identifier: Apache-2.0
#include "sm/call_policy.h"

#include <spdlog/spdlog.h>

#include <optional>
#include <utility>

#include "common/address.h"
#include "common/sip_uri.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "fmt/format.h"
#include "sm/spam_key.h"

namespace stem {
namespace {

constexpr uint32_t kBadRequest = 400;
constexpr uint32_t kForbidden = 403;
constexpr uint32_t kNotFound = 404;

v1::DecideResponse Verdict(v1::Verdict verdict, std::string why) {
  v1::DecideResponse response;
  response.set_verdict(verdict);
  response.set_why(std::move(why));
  return response;
}

v1::DecideResponse Refusal(uint32_t status, std::string reason, std::string why) {
  v1::DecideResponse response = Verdict(v1::VERDICT_REFUSE, std::move(why));
  response.set_status(status);
  response.set_reason(std::move(reason));
  return response;
}

// What the user's own profile says.
v1::DecideResponse ProfileVerdict(const v1::User& user) {
  switch (user.incoming()) {
    case v1::INCOMING_CALLS_ACCEPT: {
      v1::DecideResponse response =
          Verdict(v1::VERDICT_ACCEPT, fmt::format("user {}: accepts calls", user.name()));
      if (user.locations_size() > 0) response.set_callee_location(user.locations(0));
      return response;
    }
    case v1::INCOMING_CALLS_FORWARD: {
      v1::DecideResponse response =
          Verdict(v1::VERDICT_REDIRECT,
                  fmt::format("user {}: forwards calls to {}", user.name(), user.forward_to()));
      response.set_contact(user.forward_to());
      return response;
    }
    case v1::INCOMING_CALLS_DROP:
      return Verdict(v1::VERDICT_DROP, fmt::format("user {}: drops calls", user.name()));
    default: {
      // REFUSE; a value this version does not know is no permission either.
      const uint32_t status = user.refuse_status() != 0 ? user.refuse_status() : kForbidden;
      std::string reason = user.refuse_reason();
      if (reason.empty() && status == kForbidden) reason = "Forbidden";
      return Refusal(status, std::move(reason), fmt::format("user {}: refuses calls", user.name()));
    }
  }
}

// The first entry that protects everybody (`user` empty) or this user.
const v1::SpamEntry* EntryFor(const std::vector<v1::SpamEntry>& entries, const std::string& user) {
  for (const v1::SpamEntry& entry : entries) {
    if (entry.user() == user) return &entry;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<v1::DecideResponse> CallPolicy::Decide(const v1::DecideRequest& request) {
  const absl::StatusOr<IpAddress> source = IpAddress::Parse(request.source().address());
  if (!source.ok()) {
    return absl::InvalidArgumentError(
        "source.address is no IP address; send where the INVITE came from");
  }
  const absl::StatusOr<std::string> caller = AddressOfRecord(request.caller());
  ASSIGN_OR_RETURN(const std::vector<v1::SpamEntry> spam,
                   store_->FindSpam(SpamKeysOfCall(caller.ok() ? *caller : "", *source)));
  if (const v1::SpamEntry* entry = EntryFor(spam, ""); entry != nullptr) return Stop(*entry);

  const absl::StatusOr<std::string> callee = AddressOfRecord(request.request_uri());
  if (!callee.ok()) {
    return Refusal(kBadRequest, "Bad Request-URI",
                   fmt::format("Request-URI '{}' is neither a SIP nor a tel URI",
                               ToPrintable(request.request_uri())));
  }
  ASSIGN_OR_RETURN(const std::optional<v1::User> user, store_->FindCallee(*callee));
  if (!user.has_value()) return UnknownVerdict(*callee);
  if (const v1::SpamEntry* entry = EntryFor(spam, user->name()); entry != nullptr)
    return Stop(*entry);
  return ProfileVerdict(*user);
}

v1::DecideResponse CallPolicy::Stop(const v1::SpamEntry& entry) {
  // The count is for people; a call is not let through because it could not be counted.
  if (const absl::Status counted = store_->CountSpamHit(entry.id()); !counted.ok()) {
    spdlog::warn("hit of spam entry {} not counted: {}", entry.id(), counted.ToString());
  }
  std::string why = fmt::format("spam list: {} (entry {}{})", SpamText(entry), entry.id(),
                                entry.user().empty() ? "" : " of user " + entry.user());
  if (config_.spam_action == SpamAction::kDrop) {
    return Verdict(v1::VERDICT_DROP, std::move(why));
  }
  return Refusal(kForbidden, "Forbidden", std::move(why));
}

v1::DecideResponse CallPolicy::UnknownVerdict(const std::string& callee) const {
  if (config_.unknown_callee == UnknownCallee::kAccept) {
    return Verdict(v1::VERDICT_ACCEPT,
                   fmt::format("no user has {}; unknown callees are accepted", callee));
  }
  return Refusal(kNotFound, "Not Found", fmt::format("no user has {}", callee));
}

}  // namespace stem
