// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/packet_socket.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/xsk.h>

#include <bit>
#include <chrono>
#include <thread>

#include "agent/dataplane/errno_status.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr uint32_t kFrameSize = XSK_UMEM__DEFAULT_FRAME_SIZE;
constexpr uint32_t kBatch = 64;
constexpr auto kBusyRetry = std::chrono::milliseconds(20);
constexpr int kBusyRetries = 100;

}  // namespace

// Everything libxdp keeps for one socket, released in the order it asks for.
struct PacketSocket::Rings {
  void* area = MAP_FAILED;
  size_t area_size = 0;
  xsk_umem* umem = nullptr;
  xsk_socket* socket = nullptr;
  xsk_ring_prod fill{};
  xsk_ring_cons completion{};
  xsk_ring_cons rx{};

  Rings() = default;
  Rings(const Rings&) = delete;
  Rings& operator=(const Rings&) = delete;
  ~Rings() {
    if (socket != nullptr) xsk_socket__delete(socket);
    if (umem != nullptr) xsk_umem__delete(umem);
    if (area != MAP_FAILED) munmap(area, area_size);
  }

  absl::Status MapFrames(uint32_t frames) {
    area_size = static_cast<size_t>(frames) * kFrameSize;
    area = mmap(nullptr, area_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) return ErrnoStatus(errno, "reserving AF_XDP frames");
    xsk_umem_config config{};
    config.fill_size = frames;
    config.comp_size = XSK_RING_CONS__DEFAULT_NUM_DESCS;
    config.frame_size = kFrameSize;
    if (const int error = xsk_umem__create(&umem, area, area_size, &fill, &completion, &config);
        error != 0) {
      return ErrnoStatus(error, "registering AF_XDP frames");
    }
    return absl::OkStatus();
  }

  absl::Status Bind(const std::string& interface, uint32_t queue, uint32_t frames) {
    xsk_socket_config config{};
    config.rx_size = frames;
    config.tx_size = XSK_RING_PROD__DEFAULT_NUM_DESCS;
    config.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
    config.bind_flags = XDP_USE_NEED_WAKEUP;
    int error = 0;
    for (int attempt = 0; attempt < kBusyRetries; ++attempt) {
      error = xsk_socket__create(&socket, interface.c_str(), queue, umem, &rx, nullptr, &config);
      if (error != -EBUSY) break;
      std::this_thread::sleep_for(kBusyRetry);
    }
    if (error != 0) {
      return ErrnoStatus(error, fmt::format("binding AF_XDP to '{}' queue {}", interface, queue));
    }
    return absl::OkStatus();
  }

  void GiveAllFrames(uint32_t frames) {
    uint32_t position = 0;
    const uint32_t reserved = xsk_ring_prod__reserve(&fill, frames, &position);
    for (uint32_t i = 0; i < reserved; ++i) {
      *xsk_ring_prod__fill_addr(&fill, position + i) = static_cast<uint64_t>(i) * kFrameSize;
    }
    xsk_ring_prod__submit(&fill, reserved);
  }
};

PacketSocket::PacketSocket(std::unique_ptr<Rings> rings) : rings_(std::move(rings)) {}
PacketSocket::~PacketSocket() = default;

absl::StatusOr<std::unique_ptr<PacketSocket>> PacketSocket::Open(const std::string& interface,
                                                                 uint32_t queue, uint32_t frames,
                                                                 int xsks_fd, uint32_t slot) {
  if (!std::has_single_bit(frames)) {
    return absl::InvalidArgumentError(fmt::format("{} frames: must be a power of two", frames));
  }
  auto rings = std::make_unique<Rings>();
  RETURN_IF_ERROR(rings->MapFrames(frames));
  rings->GiveAllFrames(frames);
  RETURN_IF_ERROR(rings->Bind(interface, queue, frames));
  const int fd = xsk_socket__fd(rings->socket);
  if (bpf_map_update_elem(xsks_fd, &slot, &fd, BPF_ANY) != 0) {
    return ErrnoStatus(
        errno, fmt::format("entering the socket of '{}' queue {} into map xsks", interface, queue));
  }
  return std::unique_ptr<PacketSocket>(new PacketSocket(std::move(rings)));
}

int PacketSocket::fd() const { return xsk_socket__fd(rings_->socket); }

int PacketSocket::Receive(const std::function<void(std::span<const uint8_t>)>& visit) {
  uint32_t rx_position = 0;
  const uint32_t count = xsk_ring_cons__peek(&rings_->rx, kBatch, &rx_position);
  if (count > 0) {
    uint32_t fill_position = 0;
    // The fill ring is as large as the pool, so there is room for every frame there is.
    xsk_ring_prod__reserve(&rings_->fill, count, &fill_position);
    for (uint32_t i = 0; i < count; ++i) {
      const xdp_desc* descriptor = xsk_ring_cons__rx_desc(&rings_->rx, rx_position + i);
      const auto* frame =
          static_cast<const uint8_t*>(xsk_umem__get_data(rings_->area, descriptor->addr));
      visit({frame, descriptor->len});
      *xsk_ring_prod__fill_addr(&rings_->fill, fill_position + i) = descriptor->addr;
    }
    xsk_ring_prod__submit(&rings_->fill, count);
    xsk_ring_cons__release(&rings_->rx, count);
  }
  if (xsk_ring_prod__needs_wakeup(&rings_->fill)) {
    recvfrom(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);  // only wakes the driver
  }
  return static_cast<int>(count);
}

absl::StatusOr<PacketSocketStatistics> PacketSocket::Statistics() const {
  xdp_statistics raw{};
  socklen_t length = sizeof(raw);
  if (getsockopt(fd(), SOL_XDP, XDP_STATISTICS, &raw, &length) != 0) {
    return ErrnoStatus(errno, "reading AF_XDP statistics");
  }
  return PacketSocketStatistics{raw.rx_dropped + raw.rx_ring_full, raw.rx_fill_ring_empty_descs};
}

}  // namespace stem
