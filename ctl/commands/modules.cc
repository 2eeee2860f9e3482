// SPDX-License-Identifier: Apache-2.0
// stemctl module list|set
#include <memory>
#include <string>

#include "ctl/commands/commands.h"
#include "ctl/data_plane_view.h"

namespace stem::ctl {
namespace {

ExitCode Show(Session& session, const absl::StatusOr<v1::ListModulesResponse>& modules) {
  if (!modules.ok()) return session.Fail(modules.status());
  return session.Show(*modules,
                      [&](const Viewpoint& view) { return RenderModules(*modules, view); });
}

ExitCode ListModules(Session& session) {
  auto agent = session.Agent();
  if (!agent.ok()) return session.Fail(agent.status());
  return Show(session,
              agent->Ask(&AgentClient::DataPlaneStub::ListModules, v1::ListModulesRequest()));
}

ExitCode SetModule(Session& session, const v1::SetModuleRequest& request) {
  auto agent = session.Agent();
  if (!agent.ok()) return session.Fail(agent.status());
  return Show(session, agent->Ask(&AgentClient::DataPlaneStub::SetModule, request));
}

}  // namespace

void AddModuleCommands(CLI::App& app, Command* chosen) {
  CLI::App* module = app.add_subcommand("module", "The data plane's modules: on, observe, off")
                         ->require_subcommand(1);
  module->add_subcommand("list", "All of them")->callback([chosen] { *chosen = ListModules; });

  const auto name = std::make_shared<std::string>();
  const auto mode = std::make_shared<std::string>();
  CLI::App* set = module->add_subcommand("set", "Changes one while calls go on");
  set->add_option("NAME", *name, "As in the list, or all")->required();
  set->add_option("MODE", *mode,
                  "on; observe: what it would drop is counted and reported, and passes; off")
      ->required()
      ->check(CLI::IsMember({"on", "observe", "off"}));
  set->callback([=] {
    *chosen = [name, mode](Session& session) {
      v1::SetModuleRequest wanted;
      wanted.set_name(*name);
      wanted.set_mode(*mode);
      return SetModule(session, wanted);
    };
  });
}

}  // namespace stem::ctl
