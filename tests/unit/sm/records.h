// SPDX-License-Identifier: Apache-2.0
// Users and spam entries in one line each, made the way the services make them.
#pragma once

#include <string>
#include <vector>

#include "sm/spam_key.h"
#include "sm/user_record.h"

namespace stem {

inline const std::vector<std::string>& TestDomains() {
  static const std::vector<std::string> domains = {"example.org", "198.51.100.10"};
  return domains;
}

inline v1::User TestUser(const std::string& name,
                         v1::IncomingCalls incoming = v1::INCOMING_CALLS_ACCEPT) {
  v1::User user;
  user.set_name(name);
  user.add_uris("sip:" + name + "@example.org");
  user.set_incoming(incoming);
  return user;
}

inline v1::User ForwardingUser(const std::string& name, const std::string& to) {
  v1::User user = TestUser(name, v1::INCOMING_CALLS_FORWARD);
  user.set_forward_to(to);
  return user;
}

inline UserRecord Record(const v1::User& user) { return ToUserRecord(user, TestDomains()).value(); }

inline SpamRecord Spam(v1::SpamKind kind, const std::string& value, const std::string& user = "") {
  v1::SpamEntry entry;
  entry.set_kind(kind);
  entry.set_value(value);
  entry.set_user(user);
  return ToSpamRecord(entry).value();
}

}  // namespace stem
