// SPDX-License-Identifier: Apache-2.0
// The program stem-sm as its users meet it: options, exit codes, signals.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "common/file.h"
#include "common/version.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/certificates.h"
#include "tests/unit/shell.h"

namespace stem {
namespace {

using testing::HasSubstr;

const Peer kSm{Role::kSecurityManager, "sm1"};

class SmProgramTest : public testing::Test {
 protected:
  void SetUp() override { WriteConfig(""); }

  void WriteConfig(const std::string& more) {
    const TlsFiles files = certificates_.Of(kSm);
    std::ofstream(config_) << fmt::format(
        "listen: 127.0.0.1:0\ntls: {{certificate: {}, key: {}, ca: {}}}\n"
        "database: sm.db\ndomains: [example.org]\n{}",
        files.certificate, files.key, files.ca, more);
  }

  CommandOutput Sm(const std::string& options) {
    return Shell(fmt::format("timeout 10 {} {}", STEM_SM, options));
  }

  // Starts the program; its log goes to log_.
  pid_t Spawn() {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    const int log = open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(log, STDERR_FILENO);
    execl(STEM_SM, "stem-sm", "--config", config_.c_str(), nullptr);
    _exit(127);
  }

  bool Logged(const std::string& text) {
    for (int i = 0; i < 500; ++i) {
      const auto log = ReadFile(log_, 1 << 20);
      if (log.ok() && log->find(text) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }

  Certificates certificates_{{kSm, {Role::kFirewall, "edge"}}};
  ScratchFolder scratch_;
  const std::string config_ = scratch_ / "sm.yaml";
  const std::string log_ = scratch_ / "log";
};

TEST_F(SmProgramTest, UsageErrorsExit2) {
  for (const std::string options : {"", "--nonsense", "--config", "--config /nonexistent.yaml"}) {
    EXPECT_EQ(Sm(options).exit_code, 2) << options;
  }
  EXPECT_EQ(Sm("--help").exit_code, 0);
  const CommandOutput version = Sm("--version");
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.text, fmt::format("stem-sm {}\n", kVersion));
}

TEST_F(SmProgramTest, CheckJudgesConfigurationAndCertificates) {
  const std::string check = "--check --config " + config_;
  CommandOutput output = Sm(check);
  EXPECT_EQ(output.exit_code, 0) << output.text;
  EXPECT_EQ(output.text, "configuration and certificates of sm1 are right\n");
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "sm.db")) << "a check changes nothing";

  WriteConfig("spam_actoin: drop\n");
  output = Sm(check);
  EXPECT_EQ(output.exit_code, 2);
  EXPECT_EQ(output.text, config_ + ":5:1: spam_actoin: unknown key; did you mean 'spam_action'?\n");

  WriteConfig("");
  const std::string key = certificates_.Of(kSm).key;
  ASSERT_EQ(Shell("chmod 644 " + key).exit_code, 0);
  output = Sm(check);
  EXPECT_EQ(output.exit_code, 2);
  EXPECT_THAT(output.text, HasSubstr("mend it with: chmod 600 " + key));
}

TEST_F(SmProgramTest, ServesUntilToldToStop) {
  for (const int signal_number : {SIGTERM, SIGINT}) {
    const pid_t pid = Spawn();
    ASSERT_GT(pid, 0);
    EXPECT_TRUE(Logged("listening on 127.0.0.1:"));
    ASSERT_EQ(kill(pid, signal_number), 0);
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    std::filesystem::remove(log_);
  }
}

TEST_F(SmProgramTest, FailureToStartExits1) {
  ASSERT_EQ(Shell(fmt::format("mkdir {}", scratch_ / "sm.db")).exit_code, 0);
  const CommandOutput output = Sm("--config " + config_);
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_THAT(output.text, HasSubstr("cannot open the database"));
}

}  // namespace
}  // namespace stem
