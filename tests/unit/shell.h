// SPDX-License-Identifier: Apache-2.0
// Running another program in a test, as a witness: openssl, sqlite3.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

namespace stem {

struct CommandOutput {
  int exit_code = -1;
  std::string text;  // standard output and error
};

inline CommandOutput Shell(const std::string& command) {
  CommandOutput output;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return output;
  std::array<char, 4096> chunk{};
  while (const size_t got = fread(chunk.data(), 1, chunk.size(), pipe)) {
    output.text.append(chunk.data(), got);
  }
  output.exit_code = WEXITSTATUS(pclose(pipe));
  return output;
}

}  // namespace stem
