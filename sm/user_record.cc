// SPDX-License-Identifier: Apache-2.0
#include "sm/user_record.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/sip_uri.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "sm/field_rules.h"

namespace stem {
namespace {

constexpr int kMaxAddresses = 16;

bool Contains(const std::vector<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// Key of a SIP URI with a user part: what can be called.
absl::StatusOr<std::string> CallableKey(std::string_view field, const std::string& uri) {
  absl::StatusOr<std::string> key = CheckedAddress(field, uri);
  if (key.ok() && !HostOfRecord(*key).empty() && key->find('@') == std::string::npos) {
    return WrongField(field, fmt::format("'{}' names no user", uri), "sip:user@host");
  }
  return key;
}

absl::Status FillAddresses(const v1::User& user, const std::vector<std::string>& domains,
                           UserRecord* record) {
  if (user.uris_size() < 1 || user.uris_size() > kMaxAddresses) {
    return WrongField("user.uris", fmt::format("has {} URIs", user.uris_size()),
                      fmt::format("1 to {}", kMaxAddresses));
  }
  for (const std::string& uri : user.uris()) {
    ASSIGN_OR_RETURN(std::string key, CallableKey("user.uris", uri));
    const std::string_view host = HostOfRecord(key);
    if (!host.empty() && !Contains(domains, host)) {
      return WrongField("user.uris", fmt::format("{} is not a domain served here", host),
                        fmt::format("an address in one of {}", fmt::join(domains, ", ")));
    }
    if (Contains(record->address_keys, key)) {
      return WrongField("user.uris", fmt::format("{} is given twice", uri), "it once");
    }
    record->address_keys.push_back(std::move(key));
  }
  return absl::OkStatus();
}

absl::Status FillLocations(const v1::User& user, UserRecord* record) {
  if (user.locations_size() > kMaxAddresses) {
    return WrongField("user.locations", fmt::format("has {} URIs", user.locations_size()),
                      fmt::format("at most {}", kMaxAddresses));
  }
  for (const std::string& uri : user.locations()) {
    ASSIGN_OR_RETURN(std::string key, CheckedAddress("user.locations", uri));
    if (!key.starts_with("sip:")) {
      return WrongField("user.locations", fmt::format("'{}' is no place", uri),
                        "sip:user@host:port");
    }
    record->location_keys.push_back(std::move(key));
  }
  return absl::OkStatus();
}

absl::Status FillForward(const v1::User& user, UserRecord* record) {
  if (user.incoming() != v1::INCOMING_CALLS_FORWARD) {
    if (user.forward_to().empty()) return absl::OkStatus();
    return WrongField("user.forward_to", "is given, but user.incoming is not FORWARD",
                      "only one of both");
  }
  if (user.forward_to().empty()) {
    return WrongField("user.forward_to", "is missing", "the URI to forward calls to");
  }
  ASSIGN_OR_RETURN(record->forward_key, CallableKey("user.forward_to", user.forward_to()));
  if (Contains(record->address_keys, record->forward_key)) {
    return WrongField("user.forward_to",
                      fmt::format("{} is this user's own address", user.forward_to()),
                      "somebody else's");
  }
  return absl::OkStatus();
}

absl::Status CheckRefusal(const v1::User& user) {
  if (user.incoming() != v1::INCOMING_CALLS_REFUSE) {
    if (user.refuse_status() == 0 && user.refuse_reason().empty()) return absl::OkStatus();
    return WrongField("user.refuse_status",
                      "or refuse_reason is given, but user.incoming is not REFUSE",
                      "them with REFUSE only");
  }
  if (user.refuse_status() != 0 && (user.refuse_status() < 400 || user.refuse_status() > 699)) {
    return WrongField("user.refuse_status", fmt::format("{} is no refusal", user.refuse_status()),
                      "400 to 699, or 0 for 403");
  }
  return CheckLine("user.refuse_reason", user.refuse_reason(), kMaxReasonBytes);
}

}  // namespace

absl::StatusOr<UserRecord> ToUserRecord(const v1::User& user,
                                        const std::vector<std::string>& domains) {
  RETURN_IF_ERROR(CheckUserName("user.name", user.name()));
  switch (user.incoming()) {
    case v1::INCOMING_CALLS_ACCEPT:
    case v1::INCOMING_CALLS_FORWARD:
    case v1::INCOMING_CALLS_REFUSE:
    case v1::INCOMING_CALLS_DROP:
      break;
    default:
      return WrongField("user.incoming", "is missing or unknown",
                        "ACCEPT, FORWARD, REFUSE or DROP");
  }
  UserRecord record;
  record.user = user;
  RETURN_IF_ERROR(FillAddresses(user, domains, &record));
  RETURN_IF_ERROR(FillLocations(user, &record));
  RETURN_IF_ERROR(FillForward(user, &record));
  RETURN_IF_ERROR(CheckRefusal(user));
  return record;
}

}  // namespace stem
