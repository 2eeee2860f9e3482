// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/ctl/program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>

#include "gtest/gtest.h"

namespace stem::ctl {
namespace {

constexpr std::chrono::seconds kPatience{60};

std::vector<std::string> Environment(const std::map<std::string, std::string>& wanted) {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const bool heeded = name.starts_with("STEM_") || name.starts_with("LC_") || name == "LANG" ||
                        name == "NO_COLOR" || name == "COLUMNS" || name == "GRPC_VERBOSITY";
    if (!heeded) all[name] = text.substr(equals + 1);
  }
  all["LC_ALL"] = "C.UTF-8";
  all["TZ"] = "UTC";
  for (const auto& [name, value] : wanted) all[name] = value;
  std::vector<std::string> entries;
  for (const auto& [name, value] : all) entries.push_back(name + "=" + value);
  return entries;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments,
                 const std::map<std::string, std::string>& environment) {
  std::vector<std::string> words = {STEMCTL_PATH};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> entries = Environment(environment);
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0) {
    ADD_FAILURE() << "no pipe";
    return;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  const int error = posix_spawn(&pid_, STEMCTL_PATH, &actions, nullptr, Pointers(words).data(),
                                Pointers(entries).data());
  posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(error, 0) << STEMCTL_PATH;
  close(out[1]);
  close(err[1]);
  out_fd_ = out[0];
  err_fd_ = err[0];
}

Program::~Program() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  for (const int fd : {out_fd_, err_fd_}) {
    if (fd >= 0) close(fd);
  }
}

bool Program::Take(int timeout_ms) {
  std::array<pollfd, 2> waited = {pollfd{out_fd_, POLLIN, 0}, pollfd{err_fd_, POLLIN, 0}};
  if (poll(waited.data(), waited.size(), timeout_ms) <= 0) return false;
  std::array<char, 4096> chunk{};
  for (const pollfd& ready : waited) {
    if (ready.fd < 0 || ready.revents == 0) continue;
    const ssize_t got = read(ready.fd, chunk.data(), chunk.size());
    if (got > 0) {
      (ready.fd == out_fd_ ? out_ : err_).append(chunk.data(), static_cast<size_t>(got));
    } else {
      close(ready.fd);
      (ready.fd == out_fd_ ? out_fd_ : err_fd_) = -1;
    }
  }
  return out_fd_ >= 0 || err_fd_ >= 0;
}

void Program::AwaitOutput(const std::string& text) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (out_.find(text) == std::string::npos) {
    if (std::chrono::steady_clock::now() > give_up || (!Take(1000) && out_fd_ < 0)) {
      FAIL() << "no \"" << text << "\" in: " << out_ << "\nstandard error: " << err_;
    }
  }
}

void Program::Signal(int signal) const { EXPECT_EQ(kill(pid_, signal), 0); }

Ended Program::Wait() {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (out_fd_ >= 0 || err_fd_ >= 0) {
    Take(1000);
    if (std::chrono::steady_clock::now() > give_up) {
      ADD_FAILURE() << "stemctl does not end";
      kill(pid_, SIGKILL);
    }
  }
  int status = 0;
  EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
  pid_ = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, out_, err_};
}

Ended Stemctl(const std::vector<std::string>& arguments,
              const std::map<std::string, std::string>& environment) {
  return Program(arguments, environment).Wait();
}

}  // namespace stem::ctl
