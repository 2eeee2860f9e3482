// SPDX-License-Identifier: Apache-2.0
#include "agent/application_gateway/data_plane_service.h"

#include <utility>

namespace stem {
namespace {

// For what is answered on the gRPC thread itself.
template <typename Response>
grpc::Status Give(absl::StatusOr<Response> answer, Response* response) {
  if (!answer.ok()) return ToGrpc(answer.status());
  *response = *std::move(answer);
  MakeTextValid(response);
  return grpc::Status::OK;
}

}  // namespace

grpc::Status DataPlaneService::ListModules(grpc::ServerContext*, const v1::ListModulesRequest*,
                                           v1::ListModulesResponse* response) {
  return Give(source_->Modules(), response);
}

grpc::Status DataPlaneService::SetModule(grpc::ServerContext*, const v1::SetModuleRequest* request,
                                         v1::ListModulesResponse* response) {
  return Give(source_->SetModule(*request), response);
}

grpc::Status DataPlaneService::Simulate(grpc::ServerContext* context,
                                        const v1::SimulateRequest* request,
                                        v1::SimulateResponse* response) {
  absl::StatusOr<v1::SimulateResponse> answer = source_->Simulate(*request);
  if (!answer.ok()) return ToGrpc(answer.status());
  return rendezvous_.Answer<v1::SimulateResponse>(
      *context,
      [source = source_, request = *request, answer = *std::move(answer)] {
        return source->Complete(request, answer);
      },
      response);
}

grpc::Status DataPlaneService::ListBlocks(grpc::ServerContext* context,
                                          const v1::ListBlocksRequest*,
                                          v1::ListBlocksResponse* response) {
  return rendezvous_.Answer<v1::ListBlocksResponse>(
      *context, [source = source_] { return source->Blocks(); }, response);
}

grpc::Status DataPlaneService::ListThresholds(grpc::ServerContext* context,
                                              const v1::ListThresholdsRequest*,
                                              v1::ListThresholdsResponse* response) {
  return rendezvous_.Answer<v1::ListThresholdsResponse>(
      *context, [source = source_] { return source->Thresholds(); }, response);
}

grpc::Status DataPlaneService::ListPermits(grpc::ServerContext* context,
                                           const v1::ListPermitsRequest*,
                                           v1::ListPermitsResponse* response) {
  return rendezvous_.Answer<v1::ListPermitsResponse>(
      *context, [source = source_] { return source->Permits(); }, response);
}

grpc::Status DataPlaneService::AddBlock(grpc::ServerContext* context,
                                        const v1::AddBlockRequest* request, v1::Block* response) {
  return rendezvous_.Answer<v1::Block>(
      *context, [source = source_, wanted = *request] { return source->AddBlock(wanted); },
      response);
}

grpc::Status DataPlaneService::RemoveBlock(grpc::ServerContext* context,
                                           const v1::RemoveBlockRequest* request,
                                           v1::Block* response) {
  return rendezvous_.Answer<v1::Block>(
      *context, [source = source_, wanted = *request] { return source->RemoveBlock(wanted); },
      response);
}

}  // namespace stem
