// SPDX-License-Identifier: Apache-2.0
// stemctl doctor
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/config/document.h"
#include "common/status_macros.h"
#include "ctl/commands/commands.h"
#include "ctl/data_plane_view.h"
#include "ctl/doctor/checks.h"
#include "ctl/doctor/facts.h"

namespace stem::ctl {
namespace {

// Interface -> how a running agent has attached to it, or nothing.
using Patients = std::map<std::string, std::string>;

// Only the interfaces are read here: `stem-agent --check` judges the whole file.
absl::StatusOr<Patients> FromConfig(const std::string& path) {
  ASSIGN_OR_RETURN(const ConfigDocument document, ConfigDocument::Load(path));
  const ConfigSection interfaces = document.root().Section("interfaces");
  Patients patients;
  for (const char* side : {"outside", "inside"}) {
    std::string name;
    interfaces.Optional(side, name, Text{});
    if (name.empty()) {
      return absl::FailedPreconditionError(
          fmt::format("{}: interfaces.{} is missing or wrong: stem-agent --config {} --check tells "
                      "more",
                      path, side, path));
    }
    patients[name] = "";
  }
  return patients;
}

absl::StatusOr<Patients> FromAgent(Session& session) {
  ASSIGN_OR_RETURN(AgentClient agent, session.Agent());
  ASSIGN_OR_RETURN(const v1::AgentStatus status,
                   agent.Ask(&AgentClient::Stub::GetStatus, v1::GetStatusRequest()));
  Patients patients;
  for (const v1::Interface& one : status.interfaces()) patients[one.name()] = one.xdp_mode();
  return patients;
}

ExitCode Doctor(Session& session, const std::string& config) {
  const absl::StatusOr<Patients> patients =
      config.empty() ? FromAgent(session) : FromConfig(config);
  if (!patients.ok()) return session.Fail(patients.status());
  std::vector<std::string> names;
  for (const auto& [name, mode] : *patients) names.push_back(name);
  HostFacts facts = GatherFacts(names);
  for (InterfaceFacts& link : facts.interfaces) link.agent_mode = patients->at(link.name);
  const v1::Findings findings = Examine(facts);
  const ExitCode shown =
      session.Show(findings, [&](const Viewpoint& view) { return RenderFindings(findings, view); });
  if (shown != ExitCode::kOk) return shown;
  const bool wrong = std::any_of(findings.findings().begin(), findings.findings().end(),
                                 [](const v1::Finding& one) { return one.mark() == "wrong"; });
  return wrong ? ExitCode::kFailed : ExitCode::kOk;
}

}  // namespace

void AddDoctorCommand(CLI::App& app, Command* chosen) {
  const auto config = std::make_shared<std::string>();
  CLI::App* doctor = app.add_subcommand(
      "doctor", "Whether this host is ready, and the commands that mend what is not");
  doctor
      ->add_option("--config", *config,
                   "The agent's configuration, which names the interfaces; else a running agent is "
                   "asked")
      ->type_name("FILE");
  doctor->callback(
      [=] { *chosen = [config](Session& session) { return Doctor(session, *config); }; });
}

}  // namespace stem::ctl
