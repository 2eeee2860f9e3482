// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/library_log.h"

#include <bpf/libbpf.h>
#include <spdlog/spdlog.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <string_view>

namespace stem {
namespace {

int LogLibbpf(libbpf_print_level level, const char* format, va_list arguments) {
  // The verifier's log is one message of many pages, and its reason is at the end.
  va_list counted;
  va_copy(counted, arguments);
  const int length = vsnprintf(nullptr, 0, format, counted);
  va_end(counted);
  std::string line(static_cast<size_t>(std::max(length, 0)) + 1, '\0');
  vsnprintf(line.data(), line.size(), format, arguments);
  std::string_view text(line.c_str());
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  const bool verifier =
      level == LIBBPF_WARN && text.find("PROG LOAD LOG") != std::string_view::npos;
  spdlog::log(verifier ? spdlog::level::err : spdlog::level::debug, "{}", text);
  return 0;
}

int LogTrial(libbpf_print_level, const char* format, va_list arguments) {
  return LogLibbpf(LIBBPF_DEBUG, format, arguments);
}

int LogLibxdp(libxdp_print_level, const char* format, va_list arguments) {
  return LogLibbpf(LIBBPF_DEBUG, format, arguments);
}

}  // namespace

void LogLibraries() {
  libbpf_set_print(LogLibbpf);
  libxdp_set_print(LogLibxdp);
}

LoadMayFail::LoadMayFail() { libbpf_set_print(LogTrial); }

LoadMayFail::~LoadMayFail() { libbpf_set_print(LogLibbpf); }

}  // namespace stem
