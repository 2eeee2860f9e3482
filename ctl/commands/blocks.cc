// SPDX-License-Identifier: Apache-2.0
// stemctl block add|remove|list
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "common/status_macros.h"
#include "ctl/commands/commands.h"
#include "ctl/commands/lasting_option.h"
#include "ctl/data_plane_view.h"

namespace stem::ctl {
namespace {

struct Typed {
  std::string source;
  std::string destination;
  std::vector<std::string> scopes;
  double seconds = 0;
};

ExitCode ShowBlock(Session& session, const absl::StatusOr<v1::Block>& block) {
  if (!block.ok()) return session.Fail(block.status());
  v1::ListBlocksResponse alone;
  *alone.add_blocks() = *block;
  return session.Show(*block, [&](const Viewpoint& view) { return RenderBlocks(alone, view); });
}

absl::StatusOr<v1::Block> Add(Session& session, const Typed& typed) {
  ASSIGN_OR_RETURN(AgentClient agent, session.Agent());
  v1::AddBlockRequest request;
  request.set_source(typed.source);
  request.set_destination(typed.destination);
  for (const std::string& scope : typed.scopes) request.add_scopes(scope);
  request.set_for_ms(std::llround(typed.seconds * 1000));
  return agent.Ask(&AgentClient::DataPlaneStub::AddBlock, request);
}

absl::StatusOr<v1::Block> Remove(Session& session, const Typed& typed) {
  ASSIGN_OR_RETURN(AgentClient agent, session.Agent());
  v1::RemoveBlockRequest request;
  request.set_source(typed.source);
  request.set_destination(typed.destination);
  return agent.Ask(&AgentClient::DataPlaneStub::RemoveBlock, request);
}

absl::StatusOr<v1::ListBlocksResponse> List(Session& session) {
  ASSIGN_OR_RETURN(AgentClient agent, session.Agent());
  return agent.Ask(&AgentClient::DataPlaneStub::ListBlocks, v1::ListBlocksRequest());
}

void AddPlace(CLI::App* command, Typed* typed) {
  command->add_option("SOURCE", typed->source, "Address of the sender")->required();
  command->add_option("--to", typed->destination, "Only what it sends to this address")
      ->type_name("ADDRESS");
}

}  // namespace

void AddBlockCommands(CLI::App& app, Command* chosen) {
  CLI::App* block =
      app.add_subcommand("block", "Senders that are refused, for a time")->require_subcommand(1);
  const auto typed = std::make_shared<Typed>();

  CLI::App* add = block->add_subcommand("add", "Refuses a sender from now on");
  AddPlace(add, typed.get());
  add->add_option("--scope", typed->scopes, "all (if not given), syn, signalling, media")
      ->delimiter(',')
      ->check(CLI::IsMember({"all", "syn", "signalling", "media"}))
      ->type_name("SCOPE");
  AddLastingOption(add, "--for", &typed->seconds,
                   "Forgiven after 90s, 10m, 2h, 7d; else when removed");
  add->callback([=] {
    *chosen = [typed](Session& session) { return ShowBlock(session, Add(session, *typed)); };
  });

  CLI::App* remove =
      block->add_subcommand("remove", "Forgives, and shows once more what was blocked");
  AddPlace(remove, typed.get());
  remove->callback([=] {
    *chosen = [typed](Session& session) { return ShowBlock(session, Remove(session, *typed)); };
  });

  block->add_subcommand("list", "All blocks, and what they have dropped")->callback([=] {
    *chosen = [](Session& session) {
      const auto blocks = List(session);
      if (!blocks.ok()) return session.Fail(blocks.status());
      return session.Show(*blocks,
                          [&](const Viewpoint& view) { return RenderBlocks(*blocks, view); });
    };
  });
}

}  // namespace stem::ctl
