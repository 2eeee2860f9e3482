// SPDX-License-Identifier: Apache-2.0
#include "ctl/directory_view.h"

#include <vector>

#include "ctl/quantities.h"
#include "ctl/table.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace stem::ctl {
namespace {

constexpr uint32_t kUsualRefusal = 403;  // what refuse_status 0 stands for (admin.proto)

Paint PaintOf(v1::IncomingCalls incoming) {
  switch (incoming) {
    case v1::INCOMING_CALLS_ACCEPT:
      return Paint::kGreen;
    case v1::INCOMING_CALLS_FORWARD:
      return Paint::kCyan;
    case v1::INCOMING_CALLS_REFUSE:
    case v1::INCOMING_CALLS_DROP:
      return Paint::kRed;
    default:
      return Paint::kPlain;
  }
}

std::string Joined(const google::protobuf::RepeatedPtrField<std::string>& texts,
                   const Screen& screen) {
  std::vector<std::string> safe;
  for (const std::string& text : texts) safe.push_back(screen.Safe(text));
  return fmt::format("{}", fmt::join(safe, ", "));
}

// What "forward" and "refuse" need besides.
std::string Detail(const v1::User& user, const Screen& screen) {
  if (user.incoming() == v1::INCOMING_CALLS_FORWARD) {
    return fmt::format("to {}", screen.Safe(user.forward_to()));
  }
  if (user.incoming() == v1::INCOMING_CALLS_REFUSE) {
    const uint32_t status = user.refuse_status() == 0 ? kUsualRefusal : user.refuse_status();
    return user.refuse_reason().empty()
               ? fmt::format("with {}", status)
               : fmt::format("with {} {}", status, screen.Safe(user.refuse_reason()));
  }
  return {};
}

std::string KindText(v1::SpamKind kind) {
  switch (kind) {
    case v1::SPAM_KIND_URI:
      return "uri";
    case v1::SPAM_KIND_DOMAIN:
      return "domain";
    case v1::SPAM_KIND_PREFIX:
      return "prefix";
    default:
      return "?";
  }
}

}  // namespace

std::string_view IncomingText(v1::IncomingCalls incoming) {
  switch (incoming) {
    case v1::INCOMING_CALLS_ACCEPT:
      return "accept";
    case v1::INCOMING_CALLS_FORWARD:
      return "forward";
    case v1::INCOMING_CALLS_REFUSE:
      return "refuse";
    case v1::INCOMING_CALLS_DROP:
      return "drop";
    default:
      return "?";
  }
}

std::string RenderUsers(const v1::ListUsersResponse& users, const Viewpoint& view) {
  if (users.users().empty()) return "no users\n";
  const Screen& screen = view.screen;
  Table table({{"NAME"},
               {"INCOMING"},
               {"HOW", Align::kLeft, /*may_shrink=*/true},
               {"URIS", Align::kLeft, /*may_shrink=*/true},
               {"LOCATIONS", Align::kLeft, /*may_shrink=*/true}});
  for (const v1::User& user : users.users()) {
    table.AddRow({{screen.Safe(user.name())},
                  {std::string(IncomingText(user.incoming())), PaintOf(user.incoming())},
                  {Detail(user, screen)},
                  {Joined(user.uris(), screen)},
                  {Joined(user.locations(), screen)}});
  }
  return table.Render(screen);
}

std::string RenderUser(const v1::User& user, const Viewpoint& view) {
  const Screen& screen = view.screen;
  std::string out =
      screen.Painted(Paint::kBold, fmt::format("user {}", screen.Safe(user.name()))) + '\n';
  const auto fact = [&](std::string_view name, const std::string& value) {
    out += fmt::format("  {}  {}\n", screen.Painted(Paint::kDim, Padded(name, 9, Align::kLeft)),
                       value.empty() ? "-" : value);
  };
  fact("URIs", Joined(user.uris(), screen));
  fact("locations", Joined(user.locations(), screen));
  const std::string detail = Detail(user, screen);
  const std::string incoming =
      screen.Painted(PaintOf(user.incoming()), IncomingText(user.incoming()));
  fact("incoming", detail.empty() ? incoming : fmt::format("{} {}", incoming, detail));
  return out;
}

std::string RenderSpam(const v1::ListSpamResponse& entries, const Viewpoint& view) {
  if (entries.entries().empty()) return "no spam entries\n";
  const Screen& screen = view.screen;
  Table table({{"ID", Align::kRight},
               {"KIND"},
               {"VALUE", Align::kLeft, /*may_shrink=*/true},
               {"PROTECTS"},
               {"HITS", Align::kRight},
               {"COMMENT", Align::kLeft, /*may_shrink=*/true}});
  for (const v1::SpamEntry& entry : entries.entries()) {
    table.AddRow({{fmt::format("{}", entry.id())},
                  {KindText(entry.kind())},
                  {screen.Safe(entry.value())},
                  {entry.user().empty() ? "everybody" : screen.Safe(entry.user())},
                  {Counted(static_cast<uint64_t>(entry.hits()))},
                  {screen.Safe(entry.comment()), Paint::kDim}});
  }
  return table.Render(screen);
}

}  // namespace stem::ctl
