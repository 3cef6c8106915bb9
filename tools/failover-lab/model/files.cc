#include "tools/failover-lab/model/files.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

namespace dnsd::lab {

Result<std::string> read_file(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (file.bad()) return fail(fmt::format("{}: it cannot be read", path));
    return text;
}

Result<> replace_file(const std::string& path, std::string_view text) {
    const std::string draft = path + ".new";
    errno = 0;
    std::ofstream file(draft, std::ios::binary | std::ios::trunc);
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
    file.close();
    if (!file || std::rename(draft.c_str(), path.c_str()) != 0) {
        auto failure = fail(fmt::format("write {}: {}", path, std::strerror(errno)));
        std::remove(draft.c_str());
        return failure;
    }
    return {};
}

}  // namespace dnsd::lab
