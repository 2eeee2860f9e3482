// SPDX-License-Identifier: Apache-2.0
// stemctl rules, stemctl rules reload
#include "ctl/commands/commands.h"
#include "ctl/rule_view.h"

namespace stem::ctl {
namespace {

ExitCode ListRules(Session& session) {
  auto agent = session.Agent();
  if (!agent.ok()) return session.Fail(agent.status());
  const auto rules = agent->Ask(&AgentClient::Stub::ListRules, v1::ListRulesRequest());
  if (!rules.ok()) return session.Fail(rules.status());
  return session.Show(*rules, [&](const Viewpoint& view) { return RenderRules(*rules, view); });
}

ExitCode ReloadRules(Session& session) {
  auto agent = session.Agent();
  if (!agent.ok()) return session.Fail(agent.status());
  const auto done = agent->Ask(&AgentClient::Stub::ReloadRules, v1::ReloadRulesRequest());
  if (!done.ok()) return session.Fail(done.status());
  return session.Show(*done, [&](const Viewpoint& view) { return RenderReload(*done, view); });
}

}  // namespace

void AddRulesCommand(CLI::App& app, Command* chosen) {
  CLI::App* rules = app.add_subcommand("rules", "The static rules, and what each has matched");
  rules->callback([=] {
    if (rules->get_subcommands().empty()) *chosen = ListRules;
  });
  rules->add_subcommand("reload", "Read the rules again; on any error the old ones stay")
      ->callback([chosen] { *chosen = ReloadRules; });
}

}  // namespace stem::ctl
