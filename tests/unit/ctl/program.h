// SPDX-License-Identifier: Apache-2.0
// The real stemctl as a child process of a test.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace stem::ctl {

struct Ended {
  int exit_code = -1;  // -1 when a signal ended it
  std::string out;
  std::string err;
};

// Its environment is the test's without anything that stemctl heeds, in UTF-8 and UTC, and then
// `environment`.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments,
                   const std::map<std::string, std::string>& environment = {});
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();  // kills it if it still runs

  // Waits until standard output holds `text`; fails the test after a minute or at its end.
  void AwaitOutput(const std::string& text);
  void Signal(int signal) const;
  // Waits for its end, a minute at most, after which it is killed and the test fails.
  Ended Wait();

 private:
  // Takes what there is to read; false when both ends are closed or the time is up.
  bool Take(int timeout_ms);

  pid_t pid_ = -1;
  int out_fd_ = -1;
  int err_fd_ = -1;
  std::string out_;
  std::string err_;
};

Ended Stemctl(const std::vector<std::string>& arguments,
              const std::map<std::string, std::string>& environment = {});

}  // namespace stem::ctl
