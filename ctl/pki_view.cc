// SPDX-License-Identifier: Apache-2.0
#include "ctl/pki_view.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <vector>

#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace stem::ctl {
namespace {

bool Holds(const std::vector<std::string>& paths, const std::string& path) {
  return std::find(paths.begin(), paths.end(), path) != paths.end();
}

std::string_view Destination(Role role) {
  switch (role) {
    case Role::kSecurityManager:
      return "to the host of stem-sm, its `tls:` section";
    case Role::kFirewall:
      return "to the host of stem-agent, its `security_manager: tls:` section";
    case Role::kGateway:
      return "to the host of stem-gateway";
    case Role::kTerminal:
      return "to the user's terminal";
    case Role::kAdministrator:
      return "for stemctl: --tls, or STEM_TLS";
  }
  return "";
}

struct Folder {
  std::string name;
  std::vector<std::string> files;
  std::string_view fate;
  Paint paint;
  std::string_view destination;
};

}  // namespace

std::string RenderPki(const PkiPlan& plan, const PkiReport& report, const Screen& screen) {
  std::vector<Folder> folders;
  folders.push_back({.name = "ca",
                     .files = {"ca.crt", "ca.key"},
                     .fate = report.made_ca ? "made" : "kept",
                     .paint = report.made_ca ? Paint::kGreen : Paint::kDim,
                     .destination = "stays here: whoever reads ca.key can make certificates"});
  for (const PkiLeaf& leaf : plan.leaves) {
    const std::string name = PkiFolder(leaf.peer);
    const std::string path = std::filesystem::path(plan.directory) / name;
    const bool made = Holds(report.made, path);
    const bool renewed = Holds(report.renewed, path);
    folders.push_back({.name = name,
                       .files = {"tls.crt", "tls.key", "ca.crt"},
                       .fate = made      ? "made"
                               : renewed ? "renewed"
                                         : "kept",
                       .paint = made || renewed ? Paint::kGreen : Paint::kDim,
                       .destination = Destination(leaf.peer.role)});
  }
  size_t widest = 0;
  for (const Folder& folder : folders) widest = std::max(widest, Columns(folder.name));
  std::string out = screen.Safe(plan.directory) + '\n';
  for (size_t i = 0; i < folders.size(); ++i) {
    const Folder& folder = folders[i];
    const bool last = i + 1 == folders.size();
    out += fmt::format(
        "{} {}  {}  {}\n", last ? screen.Pick("└──", "`--") : screen.Pick("├──", "|--"),
        screen.Painted(Paint::kBold, Padded(folder.name, widest, Align::kLeft)),
        screen.Painted(folder.paint, Padded(folder.fate, 7, Align::kLeft)), folder.destination);
    for (size_t j = 0; j < folder.files.size(); ++j) {
      const bool last_file = j + 1 == folder.files.size();
      out += fmt::format("{}   {} {}\n", last ? " " : screen.Pick("│", "|"),
                         last_file ? screen.Pick("└──", "`--") : screen.Pick("├──", "|--"),
                         folder.files[j]);
    }
  }
  return out;
}

std::string PkiJson(const PkiPlan& plan, const PkiReport& report) {
  const nlohmann::ordered_json document = {{"directory", plan.directory},
                                           {"made_ca", report.made_ca},
                                           {"made", report.made},
                                           {"renewed", report.renewed},
                                           {"kept", report.kept}};
  // A path may hold any bytes; what is no UTF-8 is replaced, not thrown about.
  using Json = nlohmann::ordered_json;
  return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace stem::ctl
