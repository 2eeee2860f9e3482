// SPDX-License-Identifier: Apache-2.0
// stemctl user add|show|set|list|remove
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "ctl/commands/choice.h"
#include "ctl/commands/commands.h"
#include "ctl/directory_view.h"

namespace stem::ctl {
namespace {

constexpr uint32_t kPage = 500;

// What was typed; an empty optional leaves the user as it is.
struct Profile {
  std::string name;
  std::optional<std::vector<std::string>> uris;
  std::optional<std::vector<std::string>> locations;
  bool no_locations = false;
  std::optional<v1::IncomingCalls> incoming;
  std::optional<std::string> forward_to;
  std::optional<uint32_t> status;
  std::optional<std::string> reason;

  bool ChangesNothing() const {
    return !uris && !locations && !no_locations && !incoming && !forward_to && !status && !reason;
  }
};

// Puts what was typed into `user`. INVALID_ARGUMENT when options do not go together with what the
// user then does with calls. What belongs to another preference is forgotten with it.
absl::Status Apply(const Profile& profile, v1::User* user) {
  user->set_name(profile.name);
  if (profile.uris) user->mutable_uris()->Assign(profile.uris->begin(), profile.uris->end());
  if (profile.no_locations) user->clear_locations();
  if (profile.locations) {
    user->mutable_locations()->Assign(profile.locations->begin(), profile.locations->end());
  }
  if (profile.incoming) user->set_incoming(*profile.incoming);
  if (user->incoming() == v1::INCOMING_CALLS_UNSPECIFIED) {
    user->set_incoming(v1::INCOMING_CALLS_ACCEPT);
  }
  if (profile.forward_to) user->set_forward_to(*profile.forward_to);
  if (profile.status) user->set_refuse_status(*profile.status);
  if (profile.reason) user->set_refuse_reason(*profile.reason);

  const bool forwards = user->incoming() == v1::INCOMING_CALLS_FORWARD;
  const bool refuses = user->incoming() == v1::INCOMING_CALLS_REFUSE;
  if (profile.forward_to && !forwards) {
    return absl::InvalidArgumentError("--forward-to goes with --incoming forward");
  }
  if ((profile.status || profile.reason) && !refuses) {
    return absl::InvalidArgumentError("--status and --reason go with --incoming refuse");
  }
  if (forwards && user->forward_to().empty()) {
    return absl::InvalidArgumentError("--incoming forward needs --forward-to URI");
  }
  if (!forwards) user->clear_forward_to();
  if (!refuses) {
    user->clear_refuse_status();
    user->clear_refuse_reason();
  }
  return absl::OkStatus();
}

ExitCode ShowUser(Session& session, const absl::StatusOr<v1::User>& user) {
  if (!user.ok()) return session.Fail(user.status());
  return session.Show(*user, [&](const Viewpoint& view) { return RenderUser(*user, view); });
}

absl::StatusOr<v1::User> Add(Session& session, const Profile& profile) {
  v1::PutUserRequest request;
  RETURN_IF_ERROR(Apply(profile, request.mutable_user()));
  ASSIGN_OR_RETURN(SmClient sm, session.Sm());
  return sm.Ask(&SmClient::Stub::AddUser, std::move(request));
}

absl::StatusOr<v1::User> Get(Session& session, const std::string& name) {
  ASSIGN_OR_RETURN(SmClient sm, session.Sm());
  v1::GetUserRequest request;
  request.set_name(name);
  return sm.Ask(&SmClient::Stub::GetUser, std::move(request));
}

absl::StatusOr<v1::User> Set(Session& session, const Profile& profile) {
  if (profile.ChangesNothing()) {
    return absl::InvalidArgumentError(
        "nothing to set: say what is to change, for example --incoming refuse");
  }
  ASSIGN_OR_RETURN(SmClient sm, session.Sm());
  v1::GetUserRequest which;
  which.set_name(profile.name);
  ASSIGN_OR_RETURN(v1::User user, sm.Ask(&SmClient::Stub::GetUser, std::move(which)));
  RETURN_IF_ERROR(Apply(profile, &user));
  v1::PutUserRequest request;
  *request.mutable_user() = std::move(user);
  return sm.Ask(&SmClient::Stub::SetUser, std::move(request));
}

// Page after page until one is empty: the server may give less than was asked for.
absl::StatusOr<v1::ListUsersResponse> List(Session& session) {
  ASSIGN_OR_RETURN(SmClient sm, session.Sm());
  v1::ListUsersResponse all;
  while (true) {
    v1::ListUsersRequest request;
    request.set_page_size(kPage);
    if (!all.users().empty()) request.set_after(all.users().rbegin()->name());
    ASSIGN_OR_RETURN(const v1::ListUsersResponse page,
                     sm.Ask(&SmClient::Stub::ListUsers, std::move(request)));
    if (page.users().empty()) return all;
    all.MergeFrom(page);
  }
}

absl::StatusOr<v1::User> Remove(Session& session, const std::string& name) {
  ASSIGN_OR_RETURN(SmClient sm, session.Sm());
  v1::GetUserRequest request;
  request.set_name(name);
  return sm.Ask(&SmClient::Stub::RemoveUser, std::move(request));
}

void AddProfileOptions(CLI::App* command, Profile* profile) {
  command->add_option("--location", profile->locations, "Where a terminal is; repeatable")
      ->allow_extra_args(false)
      ->type_name("URI");
  command
      ->add_option("--incoming", profile->incoming,
                   "What happens to calls from outside: accept, forward, refuse or drop")
      ->transform(Choice<v1::IncomingCalls>({{"accept", v1::INCOMING_CALLS_ACCEPT},
                                             {"forward", v1::INCOMING_CALLS_FORWARD},
                                             {"refuse", v1::INCOMING_CALLS_REFUSE},
                                             {"drop", v1::INCOMING_CALLS_DROP}}))
      ->type_name("WHAT");
  command->add_option("--forward-to", profile->forward_to, "With forward: whereto")
      ->type_name("URI");
  command->add_option("--status", profile->status, "With refuse: SIP status, 403 if not given")
      ->check(CLI::Range(400, 699).description(""))
      ->type_name("CODE");
  command->add_option("--reason", profile->reason, "With refuse: reason phrase")->type_name("TEXT");
}

}  // namespace

void AddUserCommands(CLI::App& app, Command* chosen) {
  CLI::App* user =
      app.add_subcommand("user", "Users and what happens to their calls")->require_subcommand(1);
  const auto profile = std::make_shared<Profile>();
  const auto add_named = [&](const char* name, const char* help) {
    CLI::App* command = user->add_subcommand(name, help);
    command->add_option("NAME", profile->name, "The user's name")->required();
    return command;
  };

  CLI::App* add = add_named("add", "A new user; calls are accepted unless --incoming says else");
  add->add_option("--uri", profile->uris, "SIP address of record; repeatable")
      ->required()
      ->allow_extra_args(false)  // or the name after it would be taken for another address
      ->type_name("URI");
  AddProfileOptions(add, profile.get());
  add->callback([=] {
    *chosen = [profile](Session& session) { return ShowUser(session, Add(session, *profile)); };
  });

  CLI::App* set = add_named("set", "Changes what is given and leaves the rest");
  set->add_option("--uri", profile->uris, "Replaces all addresses of record; repeatable")
      ->allow_extra_args(false)
      ->type_name("URI");
  AddProfileOptions(set, profile.get());
  set->add_flag("--no-locations", profile->no_locations, "Forgets all locations")
      ->excludes(set->get_option("--location"));
  set->callback([=] {
    *chosen = [profile](Session& session) { return ShowUser(session, Set(session, *profile)); };
  });

  add_named("show", "One user")->callback([=] {
    *chosen = [profile](Session& session) {
      return ShowUser(session, Get(session, profile->name));
    };
  });
  add_named("remove", "Forgets a user, who is shown once more")->callback([=] {
    *chosen = [profile](Session& session) {
      return ShowUser(session, Remove(session, profile->name));
    };
  });
  user->add_subcommand("list", "All users")->callback([=] {
    *chosen = [](Session& session) {
      const auto users = List(session);
      if (!users.ok()) return session.Fail(users.status());
      return session.Show(*users, [&](const Viewpoint& view) { return RenderUsers(*users, view); });
    };
  });
}

}  // namespace stem::ctl
