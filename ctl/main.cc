// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "ctl/command_line.h"

int main(int argc, char** argv) {
  // gRPC's own log would stand between our messages; who looks for a fault in it can ask for it.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  return static_cast<int>(stem::ctl::RunCommandLine(argc, argv));
}
