// SPDX-License-Identifier: Apache-2.0
#include "sm/config.h"

#include <algorithm>
#include <cctype>
#include <chrono>

#include "common/config/document.h"
#include "common/name.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr Count kDomains{1, 256};

// A domain as HostOfRecord (common/sip_uri.h) gives it; empty when it is none.
std::string CanonicalDomain(const std::string& text) {
  if (const auto address = IpAddress::Parse(text); address.ok()) return address->ToString();
  std::string domain = text;
  if (domain.ends_with('.')) domain.pop_back();
  std::transform(domain.begin(), domain.end(), domain.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return IsHostName(domain) ? domain : "";
}

void ReadDomains(const ConfigSection& root, SmConfig& config) {
  constexpr std::string_view kRight = "a domain or address such as example.org or 192.0.2.10";
  for (const ConfigValue& item : root.At("domains").Items(kDomains)) {
    const std::string* text = item.AnyText(kRight);
    if (text == nullptr) continue;
    std::string domain = CanonicalDomain(*text);
    if (domain.empty()) {
      item.Error(fmt::format("'{}' is neither a domain nor an address", *text), kRight);
    } else if (std::find(config.domains.begin(), config.domains.end(), domain) !=
               config.domains.end()) {
      item.Error(fmt::format("{} is given twice", domain), "it once");
    } else {
      config.domains.push_back(std::move(domain));
    }
  }
}

void ReadLimits(const ConfigSection& limits, SmConfig& config) {
  limits.Optional("request_size", config.server.request_bytes,
                  Bytes{.min = 16 << 10, .max = 4 << 20});
  limits.Optional("memory", config.server.memory_bytes,
                  Bytes{.min = 8 << 20, .max = uint64_t{64} << 30});
  limits.Optional("requests_per_connection", config.server.requests_per_connection,
                  Integer{1, 10'000});
  limits.Optional("firewalls", config.server.firewalls, Integer{1, 10'000});
  limits.Optional("users", config.store.users, Integer{1, 10'000'000});
  limits.Optional("instructions", config.store.instructions, Integer{1, 1'000'000});
  limits.Optional("spam_entries", config.store.spam_entries, Integer{1, 10'000'000});
}

void ReadReplay(const ConfigSection& replay, SmConfig& config) {
  std::chrono::nanoseconds window = config.replay.window;
  replay.Optional("window", window,
                  Duration{.min = std::chrono::seconds(1), .max = std::chrono::minutes(10)});
  config.replay.window = std::chrono::duration_cast<std::chrono::milliseconds>(window);
  replay.Optional("table", config.replay.table, Integer{1024, 100'000'000});
}

}  // namespace

absl::StatusOr<SmConfig> LoadSmConfig(const std::string& path) {
  ASSIGN_OR_RETURN(ConfigDocument document, ConfigDocument::Load(path));
  const ConfigSection root = document.root();
  SmConfig config;
  root.Required("listen", config.listen, EndpointText{.any_port = true});
  ReadTlsFiles(root.Section("tls"), config.tls);
  root.Required("database", config.database, FilePath{});
  ReadDomains(root, config);
  root.Optional("unknown_callee", config.calls.unknown_callee,
                Choice<UnknownCallee>{
                    {{"refuse", UnknownCallee::kRefuse}, {"accept", UnknownCallee::kAccept}}});
  root.Optional("spam_action", config.calls.spam_action,
                Choice<SpamAction>{{{"refuse", SpamAction::kRefuse}, {"drop", SpamAction::kDrop}}});
  ReadReplay(root.Section("replay"), config);
  ReadLimits(root.Section("limits"), config);
  root.Optional("log_level", config.log_level,
                Choice<spdlog::level::level_enum>{{{"debug", spdlog::level::debug},
                                                   {"info", spdlog::level::info},
                                                   {"warning", spdlog::level::warn},
                                                   {"error", spdlog::level::err}}});
  RETURN_IF_ERROR(document.Finish());
  return config;
}

}  // namespace stem
