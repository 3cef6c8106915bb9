#include "zone/store/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace dnsd::store {

Result<std::unique_ptr<FileLock>> FileLock::take(const std::string& store_path) {
    const std::string path = store_path + ".lock";
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (descriptor < 0) return fail(path + ": " + std::generic_category().message(errno));
    std::unique_ptr<FileLock> lock(new FileLock(descriptor));
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno == EWOULDBLOCK)
        return fail(store_path +
                    ": another dnsd has it open; stop that one, or give this one a store.path of "
                    "its own");
    return fail("lock " + path + ": " + std::generic_category().message(errno));
}

FileLock::~FileLock() { ::close(descriptor_); }

}  // namespace dnsd::store
