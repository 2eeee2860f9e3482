// SPDX-License-Identifier: Apache-2.0
#include "sm/spam_key.h"

#include <algorithm>
#include <cctype>

#include "common/name.h"
#include "common/sip_uri.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "sm/field_rules.h"

namespace stem {
namespace {

constexpr int kV4PrefixStart = 96;  // bits of the 16-byte form before an IPv4 address

std::string UriKey(std::string_view address_of_record) {
  return fmt::format("uri {}", address_of_record);
}
std::string DomainKey(std::string_view domain) { return fmt::format("domain {}", domain); }
std::string PrefixKey(const Prefix& prefix) { return fmt::format("prefix {}", prefix.ToString()); }

Prefix Truncated(const IpAddress& address, int bits) {
  Prefix prefix{address, bits};
  const std::array<uint8_t, 16> mask = prefix.Mask();
  for (size_t i = 0; i < mask.size(); ++i) prefix.address.bytes[i] &= mask[i];
  return prefix;
}

absl::Status FillValue(std::string_view value, SpamRecord* record) {
  switch (record->entry.kind()) {
    case v1::SPAM_KIND_URI: {
      ASSIGN_OR_RETURN(const std::string uri, CheckedAddress("entry.value", value));
      record->entry.set_value(uri);
      record->key = UriKey(uri);
      return absl::OkStatus();
    }
    case v1::SPAM_KIND_DOMAIN: {
      std::string domain(value);
      std::transform(domain.begin(), domain.end(), domain.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (!IsHostName(domain)) {
        return WrongField("entry.value", fmt::format("'{}' is not a domain", value),
                          "a domain such as spam.example");
      }
      record->entry.set_value(domain);
      record->key = DomainKey(domain);
      return absl::OkStatus();
    }
    case v1::SPAM_KIND_PREFIX: {
      const absl::StatusOr<Prefix> prefix = Prefix::Parse(value);
      if (!prefix.ok()) {
        return WrongField("entry.value", std::string(prefix.status().message()),
                          "an address prefix such as 203.0.113.0/24 or 2001:db8::/32");
      }
      record->entry.set_value(prefix->ToString());
      record->key = PrefixKey(*prefix);
      return absl::OkStatus();
    }
    default:
      return WrongField("entry.kind", "is missing or unknown", "URI, DOMAIN or PREFIX");
  }
}

}  // namespace

absl::StatusOr<SpamRecord> ToSpamRecord(const v1::SpamEntry& entry) {
  if (entry.id() != 0) return WrongField("entry.id", "is chosen by the security manager", "0");
  if (entry.hits() != 0) return WrongField("entry.hits", "is counted by the security manager", "0");
  if (!entry.user().empty()) RETURN_IF_ERROR(CheckUserName("entry.user", entry.user()));
  RETURN_IF_ERROR(CheckLine("entry.comment", entry.comment(), kMaxCommentBytes));
  SpamRecord record;
  record.entry = entry;
  RETURN_IF_ERROR(FillValue(entry.value(), &record));
  return record;
}

std::vector<std::string> SpamKeysOfCall(std::string_view caller, const IpAddress& source) {
  std::vector<std::string> keys;
  if (!caller.empty()) keys.push_back(UriKey(caller));
  for (std::string_view domain = HostOfRecord(caller); !domain.empty();) {
    keys.push_back(DomainKey(domain));
    const size_t dot = domain.find('.');
    domain = dot == std::string_view::npos ? "" : domain.substr(dot + 1);
  }
  const int shortest = source.is_v4() ? kV4PrefixStart : 0;
  for (int bits = 128; bits >= shortest; --bits) keys.push_back(PrefixKey(Truncated(source, bits)));
  return keys;
}

std::string SpamText(const v1::SpamEntry& entry) {
  switch (entry.kind()) {
    case v1::SPAM_KIND_URI:
      return fmt::format("caller {}", entry.value());
    case v1::SPAM_KIND_DOMAIN:
      return fmt::format("domain {}", entry.value());
    default:
      return fmt::format("source prefix {}", entry.value());
  }
}

}  // namespace stem
