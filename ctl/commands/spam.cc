// SPDX-License-Identifier: Apache-2.0
// stemctl spam add|list|remove
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "ctl/commands/commands.h"
#include "ctl/directory_view.h"

namespace stem::ctl {
namespace {

ExitCode ShowEntry(Session& session, const absl::StatusOr<v1::SpamEntry>& entry) {
  if (!entry.ok()) return session.Fail(entry.status());
  v1::ListSpamResponse alone;
  *alone.add_entries() = *entry;
  return session.Show(*entry, [&](const Viewpoint& view) { return RenderSpam(alone, view); });
}

absl::StatusOr<v1::SpamEntry> Add(Session& session, const v1::SpamEntry& entry) {
  ASSIGN_OR_RETURN(SmClient sm, session.Sm());
  v1::AddSpamRequest request;
  *request.mutable_entry() = entry;
  return sm.Ask(&SmClient::Stub::AddSpam, std::move(request));
}

absl::StatusOr<v1::ListSpamResponse> List(Session& session, const std::string& user) {
  ASSIGN_OR_RETURN(SmClient sm, session.Sm());
  v1::ListSpamRequest request;
  request.set_user(user);
  return sm.Ask(&SmClient::Stub::ListSpam, std::move(request));
}

absl::StatusOr<v1::SpamEntry> Remove(Session& session, int64_t id) {
  ASSIGN_OR_RETURN(SmClient sm, session.Sm());
  v1::RemoveSpamRequest request;
  request.set_id(id);
  return sm.Ask(&SmClient::Stub::RemoveSpam, std::move(request));
}

struct Typed {
  std::string uri;
  std::string domain;
  std::string prefix;
  std::string user;
  std::string comment;
  int64_t id = 0;

  v1::SpamEntry Entry() const {
    v1::SpamEntry entry;
    entry.set_kind(!uri.empty()      ? v1::SPAM_KIND_URI
                   : !domain.empty() ? v1::SPAM_KIND_DOMAIN
                                     : v1::SPAM_KIND_PREFIX);
    entry.set_value(!uri.empty() ? uri : !domain.empty() ? domain : prefix);
    entry.set_user(user);
    entry.set_comment(comment);
    return entry;
  }
};

}  // namespace

void AddSpamCommands(CLI::App& app, Command* chosen) {
  CLI::App* spam =
      app.add_subcommand("spam", "Callers whose calls are not wanted")->require_subcommand(1);
  const auto typed = std::make_shared<Typed>();

  CLI::App* add = spam->add_subcommand("add", "A new entry");
  CLI::Option_group* what = add->add_option_group("what", "One of");
  what->add_option("--uri", typed->uri, "Calls from this SIP URI")->type_name("URI");
  what->add_option("--domain", typed->domain, "Calls from this domain and those below it")
      ->type_name("DOMAIN");
  what->add_option("--prefix", typed->prefix, "Calls from these addresses, 203.0.113.0/24")
      ->type_name("PREFIX");
  what->require_option(1);
  add->add_option("--user", typed->user, "Protects this user only; everybody if not given")
      ->type_name("NAME");
  add->add_option("--comment", typed->comment, "Why")->type_name("TEXT");
  add->callback([=] {
    *chosen = [typed](Session& session) {
      return ShowEntry(session, Add(session, typed->Entry()));
    };
  });

  CLI::App* list = spam->add_subcommand("list", "All entries");
  list->add_option("--user", typed->user, "Those that protect this user only")->type_name("NAME");
  list->callback([=] {
    *chosen = [typed](Session& session) {
      const auto entries = List(session, typed->user);
      if (!entries.ok()) return session.Fail(entries.status());
      return session.Show(*entries,
                          [&](const Viewpoint& view) { return RenderSpam(*entries, view); });
    };
  });

  CLI::App* remove = spam->add_subcommand("remove", "Forgets an entry, shown once more");
  remove->add_option("ID", typed->id, "As in the list")->required();
  remove->callback([=] {
    *chosen = [typed](Session& session) { return ShowEntry(session, Remove(session, typed->id)); };
  });
}

}  // namespace stem::ctl
