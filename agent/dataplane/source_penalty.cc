// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/source_penalty.h"

#include <bpf/bpf.h>

#include "bpf/stem_abi.h"

namespace stem {

bool IsInPenalty(int sip_sources_fd, const IpAddress& source, uint64_t now_ns) {
  stem_sip_source value{};
  return bpf_map_lookup_elem(sip_sources_fd, source.bytes.data(), &value) == 0 &&
         value.penalty_until_ns > now_ns;
}

}  // namespace stem
