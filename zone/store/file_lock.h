// One process at a time has the store open.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace dnsd::store {

// An flock(2) on a file of its own beside the store, held until this is destroyed; it goes with the
// process, however that ends. Not on the store's file: closing any descriptor of that would drop
// the POSIX locks that SQLite holds on it. The lock's file stays: who removed it could not know
// that nobody has just opened it.
class FileLock {
  public:
    static Result<std::unique_ptr<FileLock>> take(const std::string& store_path);
    ~FileLock();
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;

  private:
    explicit FileLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

}  // namespace dnsd::store
