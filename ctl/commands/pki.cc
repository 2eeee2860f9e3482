// SPDX-License-Identifier: Apache-2.0
// stemctl pki init
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/address.h"
#include "ctl/commands/commands.h"
#include "ctl/pki/pki.h"
#include "ctl/pki_view.h"

namespace stem::ctl {
namespace {

struct PkiOptions {
  PkiPlan plan;
  std::string sm_name;
  std::vector<std::string> sm_addresses;
  std::vector<std::string> firewalls;
  std::vector<std::string> administrators;
  std::vector<std::string> gateways;
  std::vector<std::string> terminals;
};

PkiPlan Plan(const PkiOptions& options) {
  PkiPlan plan = options.plan;
  if (!options.sm_name.empty()) {
    PkiLeaf sm{.peer = {.role = Role::kSecurityManager, .identity = options.sm_name},
               .dns_names = {},
               .addresses = {}};
    for (const std::string& text : options.sm_addresses) {
      const auto address = IpAddress::Parse(text);
      if (address.ok()) {
        sm.addresses.push_back(*address);
      } else {
        sm.dns_names.push_back(text);
      }
    }
    plan.leaves.push_back(std::move(sm));
  }
  const auto add = [&plan](Role role, const std::vector<std::string>& identities) {
    for (const std::string& identity : identities) {
      plan.leaves.push_back(
          {.peer = {.role = role, .identity = identity}, .dns_names = {}, .addresses = {}});
    }
  };
  add(Role::kFirewall, options.firewalls);
  add(Role::kAdministrator, options.administrators);
  add(Role::kGateway, options.gateways);
  add(Role::kTerminal, options.terminals);
  return plan;
}

ExitCode Init(Session& session, const PkiOptions& options) {
  const PkiPlan plan = Plan(options);
  if (plan.leaves.empty()) {
    return session.Fail(absl::InvalidArgumentError(
        "for whom? name at least one of --sm-name, --firewall, --administrator, --gateway, "
        "--terminal"));
  }
  const auto report = InitPki(plan);
  if (!report.ok()) return session.Fail(report.status());
  return session.Print(session.json() ? PkiJson(plan, *report)
                                      : RenderPki(plan, *report, session.screen()));
}

}  // namespace

void AddPkiCommands(CLI::App& app, Command* chosen) {
  CLI::App* pki =
      app.add_subcommand("pki", "Certificates for a lab or a site")->require_subcommand(1);
  const auto options = std::make_shared<PkiOptions>();
  CLI::App* init = pki->add_subcommand(
      "init", "Makes a certificate authority, or uses the one there, and certificates under it");
  init->add_option("--dir", options->plan.directory, "Where they are put")
      ->required()
      ->type_name("DIR");
  CLI::Option* name =
      init->add_option("--sm-name", options->sm_name, "For a security manager")->type_name("NAME");
  init->add_option("--sm-address", options->sm_addresses,
                   "Its address or host name, as others know it; repeatable")
      ->allow_extra_args(false)
      ->needs(name)
      ->type_name("HOST");
  name->needs(init->get_option("--sm-address"));
  init->add_option("--firewall", options->firewalls, "For a firewall; repeatable")->type_name("ID");
  init->add_option("--administrator", options->administrators,
                   "For somebody who uses stemctl; repeatable")
      ->allow_extra_args(false)
      ->type_name("ID");
  init->add_option("--gateway", options->gateways, "For a media gateway; repeatable")
      ->allow_extra_args(false)
      ->type_name("ID");
  init->add_option("--terminal", options->terminals, "For a user's terminal; repeatable")
      ->allow_extra_args(false)
      ->type_name("ID");
  init->add_option("--days", options->plan.leaf_days, "How long certificates are valid")
      ->capture_default_str()
      ->check(CLI::Range(1, 3650).description(""))
      ->type_name("N");
  init->add_flag("--renew", options->plan.renew, "Replaces certificates that exist already");
  init->callback(
      [=] { *chosen = [options](Session& session) { return Init(session, *options); }; });
}

}  // namespace stem::ctl
