#include "tools/failover-lab/equipment.h"

#include <fmt/format.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/text.h"
#include "tools/failover-lab/rig/ways.h"

namespace dnsd::lab {
namespace {

namespace fs = std::filesystem;

bool is_program(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

fs::path own_program() {
    std::error_code ignored;
    return fs::read_symlink("/proc/self/exe", ignored);
}

// The first folder at or above `from` that has `what` in it.
fs::path above(fs::path from, const fs::path& what) {
    std::error_code ignored;
    for (; !from.empty(); from = from.parent_path()) {
        if (fs::exists(from / what, ignored)) return from;
        if (from == from.root_path()) break;
    }
    return {};
}

// The folder of the repository; empty: our program was taken elsewhere.
fs::path root_folder() {
    const fs::path mark = "tools/failover-lab/suites";
    const fs::path root = above(own_program().parent_path(), mark);
    std::error_code ignored;
    return root.empty() ? above(fs::current_path(ignored), mark) : root;
}

std::string folder_if_there(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored) ? path.string() : "";
}

std::string beside_or_in_path(const std::string& name) {
    const fs::path beside = own_program().parent_path() / name;
    return is_program(beside) ? beside.string() : find_program(name);
}

// tools/envoy prints the same path, but makes the environment if it is not there.
std::string installed_envoy(const fs::path& root) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(root / "var/envoy/lib", ignored)) {
        const fs::path envoy = entry.path() / "site-packages/envoy/_bin/envoy";
        if (is_program(envoy)) return envoy.string();
    }
    return find_program("envoy");
}

std::string value_after(const char* file, std::string_view name, char separator) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        const std::size_t at = line.find(separator);
        if (at == std::string::npos || trimmed(std::string_view(line).substr(0, at)) != name)
            continue;
        std::string value(trimmed(std::string_view(line).substr(at + 1)));
        if (value.size() > 1 && value.front() == '"') value = value.substr(1, value.size() - 2);
        return value;
    }
    return "";
}

// The order names files from other folders than ours.
std::string absolute(const std::string& path) {
    std::error_code ignored;
    return path.empty() ? path : fs::absolute(path, ignored).string();
}

}  // namespace

std::string find_program(const std::string& name) {
    const char* path = std::getenv("PATH");
    const std::string folders = std::string(path == nullptr ? "" : path) + ":/usr/sbin:/sbin";
    for (const std::string_view folder : split(folders, ':')) {
        if (folder.empty()) continue;
        const fs::path program = fs::path(folder) / name;
        if (is_program(program)) return program.string();
    }
    return "";
}

std::string source_folder() {
    const fs::path root = root_folder();
    return root.empty() ? "" : (root / "tools/failover-lab").string();
}

Equipment find_equipment(const EquipmentOptions& options) {
    const auto otherwise = [](const std::string& said, const auto& find) {
        return absolute(said.empty() ? find() : said);
    };
    const fs::path root = root_folder();
    Equipment found;
    found.self = own_program().string();
    found.dnsd = otherwise(options.dnsd, [] { return beside_or_in_path("dnsd"); });
    found.agent = otherwise(options.agent, [] { return beside_or_in_path("dnsd-agent"); });
    found.envoy = otherwise(options.envoy, [&] { return installed_envoy(root); });
    found.unpacked =
        otherwise(options.unpacked, [&] { return folder_if_there(root / "build/unpacked"); });
    if (!root.empty()) {
        found.runtimes = folder_if_there(root / "tools/failover-lab/rig/runtimes");
        found.classes = folder_if_there(root / "build/lab-classes");
    }
    return found;
}

Result<> check(const Equipment& equipment) {
    if (equipment.dnsd.empty()) {
        return fail(
            "there is no dnsd beside this program, nor in PATH: build it (tools/build release), or "
            "say where it is with --dnsd");
    }
    for (const std::string& path : {equipment.dnsd, equipment.agent, equipment.envoy}) {
        if (!path.empty() && !is_program(path))
            return fail(path + " is no program that can be run");
    }
    return {};
}

std::string missing_for_stub(std::string_view stub, const Equipment& equipment) {
    const auto is_there = [](const char* program) { return is_program(program); };
    if (stub == "node" && !is_there("/usr/bin/node")) return "nodejs is not installed";
    if (stub == "jvm" && !is_there("/usr/bin/java"))
        return "openjdk-17-jdk-headless is not installed";
    if (stub == "jvm" && equipment.classes.empty() && !is_there("/usr/bin/javac")) {
        return "neither build/lab-classes nor a compiler for Java is there";
    }
    if ((stub == "node" || stub == "jvm") && equipment.runtimes.empty()) {
        return "the folder tools/failover-lab/rig/runtimes is not found";
    }
    return "";
}

std::string missing_for_cache(std::string_view cache, const Equipment& equipment) {
    const Way* way = find_way(cache);
    return way != nullptr ? missing_for(*way, equipment) : missing_for_stub(cache, equipment);
}

std::string describe_machine() {
    struct ::sysinfo memory{};
    ::sysinfo(&memory);
    struct ::utsname kernel{};
    ::uname(&kernel);
    const double gigabytes = static_cast<double>(memory.totalram) * memory.mem_unit / (1 << 30);
    std::string processor = value_after("/proc/cpuinfo", "model name", ':');
    if (!processor.empty()) processor = fmt::format(" ({})", processor);
    return fmt::format("{} cores{}, {:.0f} GB, {}, {} {}", std::thread::hardware_concurrency(),
                       processor, gigabytes, value_after("/etc/os-release", "PRETTY_NAME", '='),
                       kernel.sysname, kernel.release);
}

}  // namespace dnsd::lab
