// SPDX-License-Identifier: Apache-2.0
#include "common/tls/grpc_log.h"

#include <grpc/support/log.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>

namespace stem {
namespace {

constexpr int kLinesPerSecond = 10;

class LineBudget {
 public:
  // How many lines were left out before this one; nullopt when this one is left out too.
  std::optional<uint64_t> Take() {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (now - second_began_ >= std::chrono::seconds(1)) {
      second_began_ = now;
      lines_ = 0;
    }
    if (lines_ >= kLinesPerSecond) {
      ++left_out_;
      return std::nullopt;
    }
    ++lines_;
    return std::exchange(left_out_, 0);
  }

 private:
  std::mutex mutex_;
  std::chrono::steady_clock::time_point second_began_;
  int lines_ = 0;
  uint64_t left_out_ = 0;
};

void Log(gpr_log_func_args* args) {
  static LineBudget budget;
  const std::optional<uint64_t> left_out = budget.Take();
  if (!left_out.has_value()) return;
  if (*left_out > 0) spdlog::warn("grpc: {} messages left out", *left_out);
  std::string_view message(args->message);
  if (const size_t text = message.find_first_not_of(' '); text != std::string_view::npos) {
    message.remove_prefix(text);
  }
  // gRPC's errors are mostly a stranger's handshake: ours to know, nothing that failed here.
  spdlog::log(args->severity == GPR_LOG_SEVERITY_ERROR ? spdlog::level::warn : spdlog::level::debug,
              "grpc: {}", message);
}

}  // namespace

void SendGrpcLogToSpdlog() { gpr_set_log_function(&Log); }

}  // namespace stem
