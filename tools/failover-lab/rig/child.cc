#include "tools/failover-lab/rig/child.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/text.h"
#include "tools/failover-lab/model/files.h"

namespace dnsd::lab {
namespace {

namespace fs = std::filesystem;

// Debian's programs, not what else PATH may name first, and none of the variables that change them.
constexpr const char* path_variable = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

// What is in it; nothing, if it has gone: processes end while they are looked at.
std::string contents(const fs::path& path) { return read_file(path.string()).value_or(""); }

// It, and all whose session it leads: a child is the leader of a session of its own.
std::vector<pid_t> members_of(pid_t leader) {
    std::vector<pid_t> members;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
        const auto id = parse_unsigned(entry.path().filename().string());
        if (!id) continue;
        // Fields after the command's name, which is in parentheses: state, parent, group, session.
        const std::string stat = contents(entry.path() / "stat");
        const auto end = stat.rfind(") ");
        if (end == std::string::npos) continue;
        const auto fields = split(std::string_view(stat).substr(end + 2), ' ');
        if (fields.size() > 3 && parse_unsigned(fields[3]) == static_cast<std::uint64_t>(leader)) {
            members.push_back(static_cast<pid_t>(*id));
        }
    }
    return members;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

}  // namespace

Result<std::unique_ptr<Child>> Child::start(std::string name, std::string part,
                                            std::vector<std::string> command,
                                            const std::string& log, ChildOptions options) {
    std::unique_ptr<Child> child(new Child);
    child->name_ = std::move(name);
    child->part_ = std::move(part);
    child->command_ = std::move(command);
    child->log_ = log;
    child->options_ = std::move(options);
    if (auto launched = child->launch(); !launched) return std::unexpected(launched.error());
    return child;
}

Result<> Child::launch() {
    std::vector<std::string> environment{path_variable, "LANG=C.UTF-8",
                                         "HOME=" + options_.directory};
    environment.insert(environment.end(), options_.environment.begin(), options_.environment.end());
    const std::vector<char*> arguments = pointers(command_), variables = pointers(environment);

    const int log = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0) return fail(fmt::format("{}: {}", log_, std::strerror(errno)));
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    if (options_.pipes && (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0)) {
        ::close(log);
        return fail(fmt::format("pipe: {}", std::strerror(errno)));
    }
    id_ = ::fork();
    if (id_ == 0) {
        // A session of its own: where a shell that started it ends, the kernel would otherwise send
        // SIGCONT to what the lab has stopped.
        ::setsid();
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (options_.pipes) {
            ::dup2(in[0], 0);
            ::dup2(out[1], 1);
        } else {
            const int nothing = ::open("/dev/null", O_RDONLY);
            ::dup2(nothing, 0);
            ::dup2(log, 1);
        }
        ::dup2(log, 2);
        if (!options_.directory.empty() && ::chdir(options_.directory.c_str()) != 0) ::_exit(127);
        ::environ = const_cast<char**>(variables.data());
        ::execvp(arguments[0], arguments.data());
        ::dprintf(2, "%s: %s\n", arguments[0], std::strerror(errno));
        ::_exit(127);
    }
    const int problem = errno;
    ::close(log);
    if (options_.pipes) {
        ::close(in[0]);
        ::close(out[1]);
        input_ = in[1];
        output_ = out[0];
    }
    if (id_ < 0) return fail(fmt::format("fork: {}", std::strerror(problem)));
    return {};
}

Child::~Child() {
    kill();
    if (input_ >= 0) ::close(input_);
    if (output_ >= 0) ::close(output_);
}

bool Child::is_running() noexcept {
    if (id_ > 0 && ::waitpid(id_, nullptr, WNOHANG) == id_) id_ = -1;
    return id_ > 0;
}

void Child::signal(int number) noexcept {
    if (id_ <= 0) return;
    // Each by its number: some put what they start into groups of its own.
    for (const pid_t member : members_of(id_)) ::kill(member, number);
}

void Child::kill() noexcept {
    if (id_ <= 0) return;
    signal(SIGKILL);
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
    id_ = -1;
}

std::optional<int> Child::wait(std::chrono::steady_clock::time_point deadline) {
    for (int status = 0; id_ > 0; std::this_thread::sleep_for(std::chrono::milliseconds(2))) {
        if (::waitpid(id_, &status, WNOHANG) == id_) {
            id_ = -1;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        if (std::chrono::steady_clock::now() > deadline) break;
    }
    return std::nullopt;
}

Result<> Child::start_again() {
    if (input_ >= 0) ::close(std::exchange(input_, -1));
    if (output_ >= 0) ::close(std::exchange(output_, -1));
    return launch();
}

Result<> Child::tell(const std::string& line) {
    const std::string whole = line + "\n";
    if (::write(input_, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size())) {
        return fail(fmt::format("{} does not listen: {}", name_, std::strerror(errno)));
    }
    return {};
}

double Child::cpu_seconds() const {
    double nanoseconds = 0;
    for (const pid_t member : members_of(id_)) {
        std::error_code ignored;
        for (const auto& task :
             fs::directory_iterator(fmt::format("/proc/{}/task", member), ignored)) {
            const std::string text = contents(task.path() / "schedstat");
            nanoseconds += std::strtod(text.c_str(), nullptr);
        }
    }
    return nanoseconds / 1e9;
}

double Child::memory_octets() const {
    double kilobytes = 0;
    for (const pid_t member : members_of(id_)) {
        const std::string text = contents(fmt::format("/proc/{}/smaps_rollup", member));
        if (const auto at = text.find("\nPss:"); at != std::string::npos) {
            kilobytes += std::strtod(text.c_str() + at + 5, nullptr);
        }
    }
    return kilobytes * 1024;
}

std::string Child::last_lines() const {
    const std::string text = contents(log_);
    constexpr std::size_t most = 600;
    return text.size() > most ? "..." + text.substr(text.size() - most) : text;
}

}  // namespace dnsd::lab
