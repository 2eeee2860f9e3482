// SPDX-License-Identifier: Apache-2.0
// What libbpf and libxdp say, in the agent's log.
#pragma once

namespace stem {

// From now on they log there. They speak of trials that are expected to fail, too; what matters
// comes back as an error code. So their words are for `log.level: debug`, the verifier's excepted.
void LogLibraries();

// While one lives, the verifier's words are for `log.level: debug` as well: a program is loaded
// that the kernel may refuse, and then it is done in another way.
class LoadMayFail {
 public:
  LoadMayFail();
  ~LoadMayFail();
  LoadMayFail(const LoadMayFail&) = delete;
  LoadMayFail& operator=(const LoadMayFail&) = delete;
};

}  // namespace stem
