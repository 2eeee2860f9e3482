// SPDX-License-Identifier: Apache-2.0
#include "sm/field_rules.h"

#include <algorithm>

#include "common/name.h"
#include "common/sip_uri.h"
#include "common/utf8.h"
#include "fmt/format.h"

namespace stem {
namespace {

bool MayStandInUri(char c) {
  return c > ' ' && c < 0x7f && std::string_view("<>\"\\^`{|}").find(c) == std::string_view::npos;
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }

}  // namespace

absl::Status WrongField(std::string_view field, std::string_view wrong, std::string_view right) {
  return absl::InvalidArgumentError(fmt::format("{}: {}; write {}", field, wrong, right));
}

absl::Status CheckUserName(std::string_view field, std::string_view name) {
  if (IsName(name)) return absl::OkStatus();
  return WrongField(
      field, fmt::format("'{}' is not a name", ToPrintable(name)),
      fmt::format("1 to {} letters, digits, '.', '_' or '-' that begin with a letter or "
                  "digit",
                  kMaxNameLength));
}

absl::Status CheckLine(std::string_view field, std::string_view text, size_t max) {
  if (text.size() > max) {
    return WrongField(field, fmt::format("has {} bytes", text.size()),
                      fmt::format("at most {}", max));
  }
  if (!IsValidUtf8(text) || std::any_of(text.begin(), text.end(), IsControl)) {
    return WrongField(field, "holds control characters or is no UTF-8", "one line of plain text");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> CheckedAddress(std::string_view field, std::string_view uri) {
  constexpr std::string_view kRight = "sip:user@host, sips:user@host or tel:+number";
  if (uri.size() > kMaxUriBytes) {
    return WrongField(field, fmt::format("the URI has {} bytes", uri.size()),
                      fmt::format("at most {}", kMaxUriBytes));
  }
  if (!std::all_of(uri.begin(), uri.end(), MayStandInUri)) {
    return WrongField(field, fmt::format("'{}' has characters no URI may have", ToPrintable(uri)),
                      kRight);
  }
  absl::StatusOr<std::string> address = AddressOfRecord(uri);
  if (address.ok()) return address;
  const auto message = address.status().message();
  return absl::InvalidArgumentError(
      fmt::format("{}: {}", field, std::string_view(message.data(), message.size())));
}

}  // namespace stem
