#include "tools/failover-lab/rig/versions.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/text.h"

namespace dnsd::lab {

std::string version_of(Scene& scene, std::string_view package) {
    const std::string archive = fmt::format("{}/{}.deb", scene.equipment().unpacked, package);
    std::error_code ignored;
    // What is unpacked is what runs, whatever else is installed.
    const auto version =
        std::filesystem::exists(archive, ignored)
            ? scene.run({"dpkg-deb", "--field", archive, "Version"})
            : scene.run({"dpkg-query", "--show", "--showformat=${Version}", std::string(package)});
    return version ? std::string(trimmed(*version)) : std::string();
}

}  // namespace dnsd::lab
