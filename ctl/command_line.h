// SPDX-License-Identifier: Apache-2.0
// What was typed, understood: the global options and the command.
#pragma once

#include "ctl/exit_code.h"

namespace stem::ctl {

// Parses and runs. Help and the version go to standard output with kOk; a line that cannot be
// understood to standard error with kUsage.
ExitCode RunCommandLine(int argc, const char* const* argv);

}  // namespace stem::ctl
