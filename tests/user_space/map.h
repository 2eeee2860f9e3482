// SPDX-License-Identifier: Apache-2.0
// A BPF map in user space. Each value is an allocation of exactly its size, and is freed when its
// entry goes, so that AddressSanitizer sees a program that reads beyond it or holds on to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/user_space/program.h"

namespace stem {

class UserSpaceMap {
 public:
  explicit UserSpaceMap(const declared_map& declared) : declared_(declared) {}

  // nullptr without an entry. Arrays have all their entries, zero at first, and sockets and
  // programs (XSKMAP, PROG_ARRAY) those that were put in.
  void* Lookup(const void* key);

  // As bpf_map_update_elem(): 0, -EEXIST, -ENOENT, or -E2BIG when a hash is full or an array has no
  // such entry; a full LRU hash forgets who was not looked at longest.
  long Update(const void* key, const void* value, uint64_t flags);

  bool Erase(const void* key);

  // Makes entry `index` of an array a view of the `value` of somebody else, who outlives the map.
  void Lend(uint32_t index, const void* value);

  // As the agent sizes them before it loads a pipeline.
  void SetMaxEntries(uint32_t entries) { declared_.max_entries = entries; }

  const declared_map& shape() const { return declared_; }
  size_t size() const { return entries_.size(); }  // of a hash

  // Every entry of a hash, and of an array those that are not zero.
  std::map<std::string, std::string> Contents() const;

 private:
  using Value = std::shared_ptr<uint8_t[]>;
  struct Entry {
    Value value;
    std::list<std::string>::iterator place;  // in `by_use_`
  };

  bool is_array() const;
  bool is_lru() const;
  Value NewValue() const;
  std::string KeyAt(const void* key) const;

  declared_map declared_;
  std::vector<Value> array_;  // as far as it was used
  std::unordered_map<std::string, Entry> entries_;
  std::list<std::string> by_use_;  // LRU only, silent longest first
};

}  // namespace stem
