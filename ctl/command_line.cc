// SPDX-License-Identifier: Apache-2.0
#include "ctl/command_line.h"

#include <cstdio>
#include <map>
#include <string>
#include <utility>

#include "CLI/CLI.hpp"
#include "common/version.h"
#include "ctl/commands/choice.h"
#include "ctl/commands/commands.h"
#include "ctl/session.h"
#include "fmt/format.h"

namespace stem::ctl {
namespace {

constexpr char kFooter[] =
    "Without --agent and --name, stemctl asks the only agent that runs here, or the one named "
    "stem.\n"
    "Environment: STEM_AGENT, STEM_NAME, STEM_SM, STEM_TLS, NO_COLOR.\n"
    "Exit codes: 0 ok, 1 refused or not found, 2 wrong command line, 3 nobody answered.";

void AddGlobalOptions(CLI::App& app, GlobalOptions* options) {
  app.add_option("-o,--output", options->output, "table, for people, or json, for programs")
      ->transform(Choice<Output>({{"table", Output::kTable}, {"json", Output::kJson}}))
      ->type_name("FORMAT");
  app.add_option("--agent", options->agent, "Control socket of the agent")->type_name("PATH");
  app.add_option("--name", options->name, "Instance: stands for --agent /run/stem/NAME/agent.sock")
      ->type_name("NAME");
  app.add_option("--sm", options->sm, "Security manager, 192.0.2.5:7443")->type_name("ENDPOINT");
  app.add_option("--tls", options->tls, "Directory of tls.crt, tls.key and ca.crt")
      ->type_name("DIR");
  const std::map<std::string, double> units = {{"ms", 0.001}, {"s", 1.0}};
  app.add_option("--timeout", options->timeout_seconds,
                 "How long an answer may take: 5 (seconds), 500ms")
      ->transform(CLI::AsNumberWithUnit(units).description(""))
      ->check(CLI::Range(0.001, 3600.0).description(""))
      ->type_name("TIME");
  app.add_option("--color", options->colour, "auto, always or never")
      ->transform(Choice<Colour>(
          {{"auto", Colour::kAuto}, {"always", Colour::kAlways}, {"never", Colour::kNever}}))
      ->type_name("WHEN");
  app.add_flag("--ascii", options->ascii, "No line drawing characters");
  app.set_version_flag("--version", std::string("stemctl ") + kVersion);
}

}  // namespace

ExitCode RunCommandLine(int argc, const char* const* argv) {
  GlobalOptions options;
  Command chosen;
  CLI::App app("Asks a STEM firewall and its security manager, and tells them what to do.",
               "stemctl");
  app.footer(kFooter);
  app.fallthrough();  // global options may also follow the command
  app.require_subcommand(1);
  AddGlobalOptions(app, &options);
  AddStatusCommand(app, &chosen);
  AddCallCommands(app, &chosen);
  AddPinholesCommand(app, &chosen);
  AddCountersCommand(app, &chosen);
  AddMonitorCommand(app, &chosen);
  AddRulesCommand(app, &chosen);
  AddModuleCommands(app, &chosen);
  AddBlockCommands(app, &chosen);
  AddInForceCommands(app, &chosen);
  AddSimulateCommand(app, &chosen);
  AddDoctorCommand(app, &chosen);
  AddUserCommands(app, &chosen);
  AddSpamCommands(app, &chosen);
  AddInstructionCommands(app, &chosen);
  AddSmCommands(app, &chosen);
  AddPkiCommands(app, &chosen);
  // CLI11 speaks through exceptions, those for --help and --version included.
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {
    return app.exit(wanted) == 0 ? ExitCode::kOk : ExitCode::kFailed;
  } catch (const CLI::Error& wrong) {
    fmt::print(stderr, "stemctl: {}\nstemctl --help tells more.\n", wrong.what());
    return ExitCode::kUsage;
  }
  Session session(std::move(options));
  return chosen(session);
}

}  // namespace stem::ctl
