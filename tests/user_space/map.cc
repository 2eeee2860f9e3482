// SPDX-License-Identifier: Apache-2.0
#include "tests/user_space/map.h"

#include <linux/bpf.h>

#include <cerrno>
#include <cstring>

namespace stem {

bool UserSpaceMap::is_array() const {
  switch (declared_.type) {
    case BPF_MAP_TYPE_ARRAY:
    case BPF_MAP_TYPE_PERCPU_ARRAY:  // this machine has one CPU
    case BPF_MAP_TYPE_XSKMAP:
    case BPF_MAP_TYPE_PROG_ARRAY:
      return true;
    default:
      return false;
  }
}

bool UserSpaceMap::is_lru() const { return declared_.type == BPF_MAP_TYPE_LRU_HASH; }

UserSpaceMap::Value UserSpaceMap::NewValue() const {
  return Value(new uint8_t[declared_.value_size]());
}

std::string UserSpaceMap::KeyAt(const void* key) const {
  return {static_cast<const char*>(key), declared_.key_size};
}

void* UserSpaceMap::Lookup(const void* key) {
  if (is_array()) {
    uint32_t index;
    std::memcpy(&index, key, sizeof(index));
    if (index >= declared_.max_entries) return nullptr;
    if (index >= array_.size()) array_.resize(index + 1);
    const bool holds_numbers =
        declared_.type == BPF_MAP_TYPE_ARRAY || declared_.type == BPF_MAP_TYPE_PERCPU_ARRAY;
    if (array_[index] == nullptr && holds_numbers) array_[index] = NewValue();
    return array_[index].get();
  }
  const auto found = entries_.find(KeyAt(key));
  if (found == entries_.end()) return nullptr;
  if (is_lru()) by_use_.splice(by_use_.end(), by_use_, found->second.place);
  return found->second.value.get();
}

long UserSpaceMap::Update(const void* key, const void* value, uint64_t flags) {
  Value copy = NewValue();
  std::memcpy(copy.get(), value, declared_.value_size);
  if (is_array()) {
    uint32_t index;
    std::memcpy(&index, key, sizeof(index));
    if (index >= declared_.max_entries) return -E2BIG;
    if (flags == BPF_NOEXIST) return -EEXIST;
    if (index >= array_.size()) array_.resize(index + 1);
    array_[index] = std::move(copy);
    return 0;
  }
  const std::string name = KeyAt(key);
  const auto found = entries_.find(name);
  if (found != entries_.end()) {
    if (flags == BPF_NOEXIST) return -EEXIST;
    found->second.value = std::move(copy);
    return 0;
  }
  if (flags == BPF_EXIST) return -ENOENT;
  if (entries_.size() >= declared_.max_entries) {
    if (!is_lru()) return -E2BIG;
    entries_.erase(by_use_.front());
    by_use_.pop_front();
  }
  Entry& entry = entries_[name];
  entry.value = std::move(copy);
  if (is_lru()) entry.place = by_use_.insert(by_use_.end(), name);
  return 0;
}

bool UserSpaceMap::Erase(const void* key) {
  const auto found = entries_.find(KeyAt(key));
  if (found == entries_.end()) return false;
  if (is_lru()) by_use_.erase(found->second.place);
  entries_.erase(found);
  return true;
}

void UserSpaceMap::Lend(uint32_t index, const void* value) {
  if (index >= array_.size()) array_.resize(index + 1);
  // No owner: the programs that may write it are not given lent tables.
  array_[index] = Value(Value(), static_cast<uint8_t*>(const_cast<void*>(value)));
}

std::map<std::string, std::string> UserSpaceMap::Contents() const {
  std::map<std::string, std::string> out;
  const auto text = [this](const Value& value) {
    return std::string(reinterpret_cast<const char*>(value.get()), declared_.value_size);
  };
  for (const auto& [key, entry] : entries_) out[key] = text(entry.value);
  for (uint32_t index = 0; index < array_.size(); ++index) {
    if (array_[index] == nullptr) continue;
    std::string value = text(array_[index]);
    if (value.find_first_not_of('\0') == std::string::npos) continue;
    out[std::string(reinterpret_cast<const char*>(&index), sizeof(index))] = std::move(value);
  }
  return out;
}

}  // namespace stem
