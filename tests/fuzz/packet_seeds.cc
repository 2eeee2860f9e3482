// SPDX-License-Identifier: Apache-2.0
// Writes the seeds of the fuzzers that take packets: the corpus of the bpf tests, for the pipeline
// under several configurations, and scripts of the steps that no packet alone makes.
//
// Usage: packet_seeds FOLDER
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/bpf/packet_corpus.h"
#include "tests/fuzz/pipeline_script.h"

namespace stem {
namespace {

enum Mode : uint16_t { kOff = 0, kOn = 0x5555, kObserve = 0xaaaa };

class Seed {
 public:
  Seed(uint8_t switches, Mode modes, uint8_t rules, uint8_t limit) {
    Add({switches, static_cast<uint8_t>(modes >> 8), static_cast<uint8_t>(modes), rules});
    const auto both = static_cast<uint8_t>(limit << 4 | limit);
    Add({both, both, both});
  }

  template <typename... Arguments>
  Seed& Step(PipelineStep step, Arguments... arguments) {
    Add({static_cast<uint8_t>(step), static_cast<uint8_t>(arguments)...});
    return *this;
  }
  Seed& Frame(const CorpusPacket& packet, uint8_t arrival) {
    if (packet.side == STEM_SIDE_INSIDE) arrival |= kInside;
    const size_t size = packet.frame.size();
    Step(PipelineStep::kFrame, arrival, size >> 8, size);
    bytes_.insert(bytes_.end(), packet.frame.begin(), packet.frame.end());
    return *this;
  }
  Seed& OpenAll(uint8_t kind, uint8_t more) {
    for (uint8_t i = 0; i < kPinholes; ++i) Step(PipelineStep::kOpen, i, kind, more, 0, 0);
    return *this;
  }
  Seed& Media(uint8_t pinhole, uint16_t number, uint8_t kind = 0, uint8_t arrival = kSimulated) {
    return Step(PipelineStep::kMedia, arrival, pinhole, number >> 8, number, kind, 0, 160);
  }

  const Bytes& bytes() const { return bytes_; }

 private:
  void Add(std::initializer_list<uint8_t> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  Bytes bytes_;
};

bool Write(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<long>(bytes.size()));
  file.close();
  if (!file) std::fprintf(stderr, "cannot write %s\n", path.c_str());
  return static_cast<bool>(file);
}

// Peer and media as kOpen reads them.
constexpr uint8_t Kind(stem_peer_match match, stem_media media) {
  return static_cast<uint8_t>(match + 5 * (media - 1));
}

bool WriteScripts(const std::filesystem::path& folder) {
  bool ok = true;
  const uint8_t rtp = Kind(STEM_PEER_ENDPOINT, STEM_MEDIA_RTP);

  Seed sequences(kListens, kOn, 0, 1);
  sequences.OpenAll(rtp, 0);
  for (const uint16_t number : {1000, 1001, 1003, 1002, 1001, 4500, 65535, 0, 9000}) {
    for (const uint8_t pinhole : {0, 1, 6}) sequences.Media(pinhole, number);
  }
  sequences.Step(PipelineStep::kTime, 30).Media(0, 20000).Media(0, 20001).Media(0, 5, 1);
  ok &= Write(folder / "sequences", sequences.bytes());

  // Bytes, packets, both: four packets a second, as kOpen has its rates.
  for (const uint8_t rates : {0x08, 0x20, 0x28}) {
    Seed policed(kListens, kOn, 1, 1);
    policed.OpenAll(Kind(STEM_PEER_ENDPOINT, STEM_MEDIA_UDP), rates);
    for (uint16_t i = 0; i < 8; ++i) policed.Media(0, i).Media(1, i);
    policed.Step(PipelineStep::kTime, 30);
    for (uint16_t i = 0; i < 8; ++i) policed.Media(0, i);
    ok &= Write(folder / ("policed_" + std::to_string(rates)), policed.bytes());
  }

  Seed latch(kListens, kOn, 2, 1);
  latch.OpenAll(Kind(STEM_PEER_LATCH, STEM_MEDIA_RTP_RTCP) | 0x80, 7);
  latch.Media(0, 1).Media(0, 2, 8).Media(0, 3, 4).Media(0, 4, 0x10).Media(0, 5, 0x60);
  latch.Step(PipelineStep::kClose, 0).Media(0, 6);
  ok &= Write(folder / "latch", latch.bytes());

  Seed connections(kListens | kSynChallenge | kSynPermits | kDefaultPass, kOn, 0, 1);
  for (uint8_t source = 0; source < 8; ++source) {
    connections.Step(PipelineStep::kSegment, kSimulated, source, 1, 0x02, 0);
    connections.Step(PipelineStep::kSegment, kSimulated, source, 1, 0x04, 1);
    connections.Step(PipelineStep::kSegment, kSimulated, source, 1, 0x02, 0);
  }
  connections.Step(PipelineStep::kSegment, kInside, 5, 0, 0x02, 0);
  connections.Step(PipelineStep::kPermit, 5, 9);
  connections.Step(PipelineStep::kSegment, kInside, 5, 0, 0x02, 0);
  ok &= Write(folder / "connections", connections.bytes());

  Seed signalling(kListens | kSipAnswered, kOn, 0, 1);
  for (int round = 0; round < 3; ++round) {
    for (uint8_t i = 0; i < 8; ++i) {
      signalling.Step(PipelineStep::kSip, kSimulated, 0, i % 6);
      signalling.Step(PipelineStep::kSip, kSimulated, i, 0);
    }
    signalling.Step(PipelineStep::kTime, 33);
  }
  signalling.Step(PipelineStep::kBlock, 0, 2, 0).Step(PipelineStep::kSip, 0, 0, 0);
  signalling.Step(PipelineStep::kBlock, 0, 2, 2).Step(PipelineStep::kSip, 0, 0, 0);
  ok &= Write(folder / "signalling", signalling.bytes());
  return ok;
}

// As fuzz_fragments reads them: limits, then pieces of 64 bytes at offsets in 8 bytes.
bool WriteFragments(const std::filesystem::path& folder) {
  constexpr uint8_t kMore = 17, kLast = 16;
  const auto piece = [](Bytes& out, uint8_t which, uint8_t offset, uint8_t size) {
    out.insert(out.end(), {0, which, 0, offset, size, which});
  };
  bool ok = true;
  for (const uint8_t which : {0x01, 0x81}) {  // IPv4 and IPv6
    const std::string family = which & 0x80 ? "_v6" : "_v4";
    Bytes in_order = {15, 255, 7}, backwards = in_order, overlapping = in_order, late = in_order;
    for (const uint8_t offset : {0, 8, 16}) piece(in_order, which, offset, kMore);
    piece(in_order, which, 24, kLast);
    piece(backwards, which, 24, kLast);
    for (const uint8_t offset : {16, 8, 0}) piece(backwards, which, offset, kMore);
    for (const uint8_t offset : {0, 4, 0, 8}) piece(overlapping, which, offset, kMore);
    piece(late, which, 0, kMore);
    late.insert(late.end(), {2, 34});  // 17 seconds
    piece(late, which, 8, kLast);
    ok &= Write(folder / ("in_order" + family), in_order);
    ok &= Write(folder / ("backwards" + family), backwards);
    ok &= Write(folder / ("overlapping" + family), overlapping);
    ok &= Write(folder / ("late" + family), late);
  }
  return ok;
}

bool WriteSeeds(const std::filesystem::path& folder) {
  const std::filesystem::path scripts = folder / "pipeline", packets = folder / "ip_packet",
                              fragments = folder / "fragments";
  for (const auto& path : {scripts, packets, fragments}) std::filesystem::create_directories(path);
  bool ok = WriteScripts(scripts) && WriteFragments(fragments);
  struct {
    const char* name;
    Seed seed;
  } configurations[] = {
      {"corpus_strict", Seed(kListens, kOn, 1, 1)},
      {"corpus_observing", Seed(kListens, kObserve, 1, 1)},
      {"corpus_off", Seed(kDefaultPass | kAgentDownPass | kFragmentsPass, kOff, 0, 0)},
      {"corpus_challenging",
       Seed(kListens | kSynChallenge | kSynPermits | kSmallTables, kOn, 2, 3)},
  };
  const std::vector<CorpusPacket> corpus = PacketCorpus();
  for (auto& [name, seed] : configurations) {
    seed.OpenAll(Kind(STEM_PEER_ENDPOINT, STEM_MEDIA_RTP), 0);
    for (const CorpusPacket& one : corpus) seed.Frame(one, kSimulated);
    ok &= Write(scripts / name, seed.bytes());
  }
  for (size_t i = 0; i < corpus.size(); ++i) {
    ok &= Write(packets / ("packet_" + std::to_string(i)), corpus[i].frame);
  }
  return ok;
}

}  // namespace
}  // namespace stem

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: packet_seeds FOLDER\n");
    return 2;
  }
  return stem::WriteSeeds(argv[1]) ? 0 : 1;
}
