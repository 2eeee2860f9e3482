// SPDX-License-Identifier: Apache-2.0
// The commands of stemctl: each adds itself to the command line and, when it is the one that was
// typed, says what is to be run.
#pragma once

#include <functional>

#include "CLI/CLI.hpp"
#include "ctl/session.h"

namespace stem::ctl {

using Command = std::function<ExitCode(Session&)>;

// Each adds its subcommand to `app`; when it is parsed, *chosen is set. Both must outlive the
// parsing.
void AddStatusCommand(CLI::App& app, Command* chosen);
void AddCallCommands(CLI::App& app, Command* chosen);
void AddPinholesCommand(CLI::App& app, Command* chosen);
void AddCountersCommand(CLI::App& app, Command* chosen);
void AddMonitorCommand(CLI::App& app, Command* chosen);
void AddRulesCommand(CLI::App& app, Command* chosen);
void AddModuleCommands(CLI::App& app, Command* chosen);
void AddBlockCommands(CLI::App& app, Command* chosen);
void AddInForceCommands(CLI::App& app, Command* chosen);
void AddSimulateCommand(CLI::App& app, Command* chosen);
void AddDoctorCommand(CLI::App& app, Command* chosen);
void AddUserCommands(CLI::App& app, Command* chosen);
void AddSpamCommands(CLI::App& app, Command* chosen);
void AddInstructionCommands(CLI::App& app, Command* chosen);
void AddSmCommands(CLI::App& app, Command* chosen);
void AddPkiCommands(CLI::App& app, Command* chosen);

}  // namespace stem::ctl
