// SPDX-License-Identifier: Apache-2.0
// stemctl thresholds, stemctl permits: what a firewall has in force
#include "ctl/commands/commands.h"
#include "ctl/instruction_view.h"

namespace stem::ctl {
namespace {

ExitCode ListThresholds(Session& session) {
  auto agent = session.Agent();
  if (!agent.ok()) return session.Fail(agent.status());
  const auto thresholds =
      agent->Ask(&AgentClient::DataPlaneStub::ListThresholds, v1::ListThresholdsRequest());
  if (!thresholds.ok()) return session.Fail(thresholds.status());
  return session.Show(*thresholds,
                      [&](const Viewpoint& view) { return RenderThresholds(*thresholds, view); });
}

ExitCode ListPermits(Session& session) {
  auto agent = session.Agent();
  if (!agent.ok()) return session.Fail(agent.status());
  const auto permits =
      agent->Ask(&AgentClient::DataPlaneStub::ListPermits, v1::ListPermitsRequest());
  if (!permits.ok()) return session.Fail(permits.status());
  return session.Show(*permits,
                      [&](const Viewpoint& view) { return RenderPermits(*permits, view); });
}

}  // namespace

void AddInForceCommands(CLI::App& app, Command* chosen) {
  app.add_subcommand("thresholds", "The limits of the guards in force, and who set each")
      ->callback([chosen] { *chosen = ListThresholds; });
  app.add_subcommand("permits", "Outbound connections to SIP ports that may be opened")
      ->callback([chosen] { *chosen = ListPermits; });
}

}  // namespace stem::ctl
