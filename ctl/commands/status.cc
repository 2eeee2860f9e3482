// SPDX-License-Identifier: Apache-2.0
// stemctl status, stemctl sm status
#include "ctl/commands/commands.h"
#include "ctl/status_view.h"

namespace stem::ctl {
namespace {

ExitCode ShowAgentStatus(Session& session) {
  auto agent = session.Agent();
  if (!agent.ok()) return session.Fail(agent.status());
  const auto status = agent->Ask(&AgentClient::Stub::GetStatus, v1::GetStatusRequest());
  if (!status.ok()) return session.Fail(status.status());
  return session.Show(*status,
                      [&](const Viewpoint& view) { return RenderAgentStatus(*status, view); });
}

ExitCode ShowSmStatus(Session& session) {
  auto sm = session.Sm();
  if (!sm.ok()) return session.Fail(sm.status());
  const auto status = sm->Ask(&SmClient::Stub::GetStatus, v1::GetSmStatusRequest());
  if (!status.ok()) return session.Fail(status.status());
  return session.Show(*status,
                      [&](const Viewpoint& view) { return RenderSmStatus(*status, view); });
}

}  // namespace

void AddStatusCommand(CLI::App& app, Command* chosen) {
  app.add_subcommand("status", "How the agent is: interfaces, security manager, tables, delays")
      ->callback([chosen] { *chosen = ShowAgentStatus; });
}

void AddSmCommands(CLI::App& app, Command* chosen) {
  CLI::App* sm = app.add_subcommand("sm", "The security manager itself")->require_subcommand(1);
  sm->add_subcommand("status", "How the security manager is, and which firewalls watch it")
      ->callback([chosen] { *chosen = ShowSmStatus; });
}

}  // namespace stem::ctl
