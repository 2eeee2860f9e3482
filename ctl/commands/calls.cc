// SPDX-License-Identifier: Apache-2.0
// stemctl calls, stemctl calls show, stemctl pinholes
#include <memory>
#include <string>

#include "ctl/call_view.h"
#include "ctl/commands/commands.h"

namespace stem::ctl {
namespace {

ExitCode ListCalls(Session& session, const v1::ListCallsRequest& request) {
  auto agent = session.Agent();
  if (!agent.ok()) return session.Fail(agent.status());
  const auto calls = agent->Ask(&AgentClient::Stub::ListCalls, request);
  if (!calls.ok()) return session.Fail(calls.status());
  return session.Show(*calls, [&](const Viewpoint& view) { return RenderCalls(*calls, view); });
}

ExitCode ShowCall(Session& session, const v1::GetCallRequest& request) {
  auto agent = session.Agent();
  if (!agent.ok()) return session.Fail(agent.status());
  const auto call = agent->Ask(&AgentClient::Stub::GetCall, request);
  if (!call.ok()) return session.Fail(call.status());
  return session.Show(*call, [&](const Viewpoint& view) { return RenderCall(*call, view); });
}

ExitCode ListPinholes(Session& session) {
  auto agent = session.Agent();
  if (!agent.ok()) return session.Fail(agent.status());
  const auto pinholes = agent->Ask(&AgentClient::Stub::ListPinholes, v1::ListPinholesRequest());
  if (!pinholes.ok()) return session.Fail(pinholes.status());
  return session.Show(
      *pinholes, [&](const Viewpoint& view) { return RenderPinholes(pinholes->pinholes(), view); });
}

}  // namespace

void AddCallCommands(CLI::App& app, Command* chosen) {
  const auto all = std::make_shared<bool>(false);
  CLI::App* calls = app.add_subcommand("calls", "The calls the firewall follows");
  calls->add_flag("-a,--all", *all, "Those that have ended, too");
  calls->callback([=] {
    if (!calls->get_subcommands().empty()) return;  // that one has been chosen
    v1::ListCallsRequest request;
    request.set_include_ended(*all);
    *chosen = [request](Session& session) { return ListCalls(session, request); };
  });

  const auto id = std::make_shared<std::string>();
  CLI::App* show = calls->add_subcommand("show", "One call: its ladder and its pinholes");
  show->add_option("ID", *id, "The call's id, the beginning of it, or a whole Call-ID")->required();
  show->callback([=] {
    v1::GetCallRequest request;
    request.set_id(*id);
    *chosen = [request](Session& session) { return ShowCall(session, request); };
  });
}

void AddPinholesCommand(CLI::App& app, Command* chosen) {
  app.add_subcommand("pinholes", "The media flows that may pass, and what has passed")
      ->callback([chosen] { *chosen = ListPinholes; });
}

}  // namespace stem::ctl
