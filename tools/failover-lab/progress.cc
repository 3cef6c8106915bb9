#include "tools/failover-lab/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

namespace dnsd::lab {
namespace {

using namespace std::chrono_literals;

std::size_t columns_of_terminal() {
    ::winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
    return size.ws_col;
}

}  // namespace

Progress::Progress() : terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() { clear(); }

void Progress::clear() {
    if (shown_) fmt::print(stderr, "\r\033[K");
    shown_ = false;
}

void Progress::show(std::size_t done, std::size_t all, double seconds_left,
                    const std::vector<std::string>& running) {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + (terminal_ ? 200ms : 10s);
    const auto left = static_cast<int>(std::lround(seconds_left));
    std::string line = fmt::format("{}/{} done, {} running, about {}:{:02} left", done, all,
                                   running.size(), left / 60, left % 60);
    // The one that began first is what is waited for.
    for (std::size_t i = 0; i < running.size(); ++i) line += (i == 0 ? ": " : "; ") + running[i];
    if (!terminal_) {
        if (line.size() > 200) line = line.substr(0, 197) + "...";
        fmt::print(stderr, "{}\n", line);
        return;
    }
    const std::size_t columns = columns_of_terminal() - 1;
    if (line.size() > columns) line = line.substr(0, columns - 3) + "...";
    fmt::print(stderr, "\r{}\033[K", line);
    std::fflush(stderr);
    shown_ = true;
}

void Progress::say(const std::string& line) {
    clear();
    fmt::print(stderr, "{}\n", line);
}

}  // namespace dnsd::lab
