#include "tools/agent/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/io/tcp.h"

namespace dnsd::agent {

namespace {

bool write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t octets = write(descriptor, text.data(), text.size());
        if (octets < 0 && errno != EINTR) return false;
        if (octets > 0) text.remove_prefix(static_cast<std::size_t>(octets));
    }
    return true;
}

}  // namespace

std::optional<std::string> read_whole(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (file.bad()) return std::nullopt;
    return text;
}

Result<> replace_file(const std::string& path, std::string_view text) {
    const std::string draft = path + ".new";
    struct stat old{};
    const mode_t mode = stat(path.c_str(), &old) == 0 ? old.st_mode & 07777 : 0644;
    const io::Descriptor file(open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    // On the disk before it takes the old one's place: after a crash there is one or the other.
    const bool written = file.number() >= 0 && fchmod(file.number(), mode) == 0 &&
                         write_all(file.number(), text) && fdatasync(file.number()) == 0;
    if (!written || std::rename(draft.c_str(), path.c_str()) != 0) {
        auto failure = fail(fmt::format("write {}: {}", path, std::strerror(errno)));
        unlink(draft.c_str());
        return failure;
    }
    return {};
}

}  // namespace dnsd::agent
