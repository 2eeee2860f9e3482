// SPDX-License-Identifier: Apache-2.0
// Runs a fuzzer's function over its seeds, cut short and with wrong bytes as well, the same every
// time: what `./run fuzz` looks for in minutes, in a second and without libFuzzer. An input that
// breaks something ends the process, with what does not hold or with a sanitizer's report.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" __attribute__((weak)) int LLVMFuzzerInitialize(int* argc, char*** argv);

namespace {

using Input = std::vector<uint8_t>;

constexpr size_t kCuts = 12;          // of each seed
constexpr size_t kInputs = 1500;      // with wrong bytes, at most
constexpr size_t kBytes = 256 << 10;  // ... and of all of them together

class Replay : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (LLVMFuzzerInitialize != nullptr) LLVMFuzzerInitialize(nullptr, nullptr);
  }
  void SetUp() override {
    std::vector<std::filesystem::path> files;
    for (const auto& file : std::filesystem::directory_iterator(STEM_SEEDS)) {
      files.push_back(file.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& path : files) {
      std::ifstream file(path, std::ios::binary);
      seeds_.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    ASSERT_FALSE(seeds_.empty()) << "no seeds in " << STEM_SEEDS;
  }
  // A copy without room behind it, so that ASan sees who reads on.
  static void Run(const Input& input) {
    const Input exact(input.begin(), input.end());
    EXPECT_EQ(LLVMFuzzerTestOneInput(exact.data(), exact.size()), 0);
  }

  std::vector<Input> seeds_;
};

TEST_F(Replay, Seeds) {
  for (const Input& seed : seeds_) Run(seed);
}

TEST_F(Replay, SeedsCutShort) {
  for (const Input& seed : seeds_) {
    const size_t step = std::max<size_t>(1, seed.size() / kCuts);
    for (size_t size = 0; size < seed.size(); size += step) {
      Run({seed.begin(), seed.begin() + static_cast<long>(size)});
    }
  }
}

TEST_F(Replay, SeedsWithWrongBytes) {
  std::mt19937 chance(20261120);  // NOLINT(cert-msc51-cpp,bugprone-random-generator-seed)
  for (size_t inputs = 0, bytes = 0; inputs < kInputs && bytes < kBytes; ++inputs) {
    Input input = seeds_[chance() % seeds_.size()];
    if (input.empty()) continue;
    const size_t wrong = 1 + chance() % 8;
    for (size_t i = 0; i < wrong; ++i) {
      input[chance() % input.size()] = static_cast<uint8_t>(chance());
    }
    bytes += input.size();
    Run(input);
  }
}

}  // namespace
