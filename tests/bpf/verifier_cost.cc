// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/verifier_cost.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "agent/dataplane/data_plane.h"
#include "agent/dataplane/errno_status.h"
#include "agent/dataplane/unique_fd.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

absl::StatusOr<UniqueFd> Pinned(const std::string& instance, std::string_view name) {
  const std::string path = fmt::format("{}/{}", DataPlane::PinDirectory(instance), name);
  UniqueFd fd(bpf_obj_get(path.c_str()));
  if (!fd.valid()) return ErrnoStatus(errno, fmt::format("opening {}", path));
  return fd;
}

absl::StatusOr<ProgramCost> CostOf(const UniqueFd& program) {
  bpf_prog_info info{};
  uint32_t length = sizeof(info);
  if (!program.valid() || bpf_obj_get_info_by_fd(program.get(), &info, &length) != 0) {
    return ErrnoStatus(errno, "asking about a program");
  }
  return ProgramCost{info.name, info.verified_insns, info.jited_prog_len};
}

}  // namespace

absl::StatusOr<std::vector<ProgramCost>> ReadProgramCosts(const std::string& name) {
  ASSIGN_OR_RETURN(const UniqueFd root, Pinned(name, "root"));
  ASSIGN_OR_RETURN(const UniqueFd slots, Pinned(name, "pipeline"));
  const uint32_t slot = 0;
  uint32_t program = 0;  // read from user space, the slot says the program's id
  if (bpf_map_lookup_elem(slots.get(), &slot, &program) != 0) {
    return ErrnoStatus(errno, "reading slot 0");
  }
  ASSIGN_OR_RETURN(const ProgramCost of_root, CostOf(root));
  ASSIGN_OR_RETURN(const ProgramCost of_pipeline, CostOf(UniqueFd(bpf_prog_get_fd_by_id(program))));
  return std::vector<ProgramCost>{of_root, of_pipeline};
}

}  // namespace stem
