// SPDX-License-Identifier: Apache-2.0
// The pipeline program: loaded for one configuration, with its pinned maps made or adopted.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/dataplane/data_plane_config.h"

struct stem_pipeline;  // the skeleton, stem_pipeline.skel.h

namespace stem {

struct PipelineDestroyer {
  void operator()(stem_pipeline* skeleton) const;
};
using PipelinePtr = std::unique_ptr<stem_pipeline, PipelineDestroyer>;

// Loads a pipeline that is in no slot yet. Pinned maps of `directory` are adopted; those that do
// not fit are FAILED_PRECONDITION, with what to do.
absl::StatusOr<PipelinePtr> LoadPipeline(const DataPlaneConfig& config,
                                         const std::string& directory, unsigned outside,
                                         unsigned inside);

}  // namespace stem
