#include "tools/failover-lab/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace dnsd::lab {
namespace {

int status_from(int waited) noexcept {
    return WIFEXITED(waited) ? WEXITSTATUS(waited) : 128 + WTERMSIG(waited);
}

// Between fork and exec: only calls that are safe there.
[[noreturn]] void become(char* const* arguments, int output, pid_t parent) noexcept {
    ::setsid();
    // What unshare starts is killed with it (--kill-child), and it is killed with us; where we were
    // gone before that was said, nobody would.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::execvp(arguments[0], arguments);
    ::dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], std::strerror(errno));
    ::_exit(127);
}

Result<pid_t> start(const std::vector<std::string>& command, int output) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const pid_t parent = ::getpid();
    const pid_t id = ::fork();
    if (id < 0) return fail(fmt::format("no process can be started: {}", std::strerror(errno)));
    if (id == 0) become(arguments.data(), output, parent);
    return id;
}

Isolation try_isolation(bool as_root) {
    Isolation isolation;
    isolation.command = {"unshare", "--net",        "--mount",     "--pid",
                         "--fork",  "--kill-child", "--mount-proc"};
    if (!as_root) isolation.command.insert(isolation.command.end(), {"--user", "--map-root-user"});
    std::vector<std::string> trial = isolation.command;
    // The link is what the lab needs most of it, and what kernels without veth do not have.
    const char* veth = "ip link set lo up && ip link add lab0 type veth peer name lab1";
    trial.insert(trial.end(), {"sh", "-c", veth});
    if (auto tried = output_of(trial); !tried) return {{}, tried.error().message};
    return isolation;
}

}  // namespace

Isolation find_isolation() { return try_isolation(::geteuid() == 0); }

Result<Worker> Worker::launch(const std::vector<std::string>& command, const std::string& log) {
    const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (output < 0) return fail(fmt::format("{}: {}", log, std::strerror(errno)));
    auto id = start(command, output);
    ::close(output);
    if (!id) return std::unexpected(id.error());
    return Worker(*id);
}

std::optional<int> Worker::ended() noexcept {
    int waited = 0;
    if (!status_ && ::waitpid(id_, &waited, WNOHANG) == id_) status_ = status_from(waited);
    return status_;
}

void Worker::kill() noexcept {
    if (ended()) return;
    ::kill(id_, SIGKILL);
    int waited = 0;
    if (::waitpid(id_, &waited, 0) == id_) status_ = status_from(waited);
}

void adopt_orphans() noexcept { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

void wait_for_orphans() noexcept {
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
}

Result<std::string> output_of(const std::vector<std::string>& command) {
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0) return fail(std::strerror(errno));
    auto id = start(command, pipe[1]);
    ::close(pipe[1]);
    std::string text;
    char piece[4096];
    if (id) {
        for (ssize_t got;
             (got = ::read(pipe[0], piece, sizeof piece)) > 0 || (got < 0 && errno == EINTR);) {
            if (got > 0) text.append(piece, static_cast<std::size_t>(got));
        }
    }
    ::close(pipe[0]);
    if (!id) return std::unexpected(id.error());
    int waited = 0;
    while (::waitpid(*id, &waited, 0) < 0 && errno == EINTR) {
    }
    if (const int status = status_from(waited); status != 0) {
        return fail(fmt::format("{} ended with {}: {}", command.front(), status, trimmed(text)));
    }
    return std::string(trimmed(text));
}

}  // namespace dnsd::lab
