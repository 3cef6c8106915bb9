#include "tools/failover-lab/rig/probes.h"

#include <poll.h>
#include <unistd.h>

#include <array>

#include "base/text.h"

namespace dnsd::lab {

ProbeLog::ProbeLog() : thread_([this] { run(); }) {}

ProbeLog::~ProbeLog() {
    ends_ = true;
    thread_.join();
}

void ProbeLog::watch(int instance, int descriptor) {
    const std::lock_guard lock(mutex_);
    Output& output = outputs_[instance];
    output.descriptor = descriptor;
    output.pending.clear();
    output.ready = false;
}

bool ProbeLog::is_ready(int instance) const {
    const std::lock_guard lock(mutex_);
    const auto found = outputs_.find(instance);
    return found != outputs_.end() && found->second.ready;
}

std::vector<SteadyTime> ProbeLog::probes(int instance, const std::string& by) const {
    const std::lock_guard lock(mutex_);
    const auto output = outputs_.find(instance);
    if (output == outputs_.end()) return {};
    const auto found = output->second.probes.find(by);
    return found == output->second.probes.end() ? std::vector<SteadyTime>{} : found->second;
}

void ProbeLog::run() {
    while (!ends_) {
        std::vector<pollfd> watched;
        std::vector<int> instances;
        {
            const std::lock_guard lock(mutex_);
            for (const auto& [instance, output] : outputs_) {
                if (output.descriptor < 0) continue;
                watched.push_back({output.descriptor, POLLIN, 0});
                instances.push_back(instance);
            }
        }
        ::poll(watched.data(), watched.size(), 20);  // and then whether there are others by now
        for (std::size_t n = 0; n < watched.size(); ++n) {
            if (watched[n].revents == 0) continue;
            std::array<char, 4096> octets;
            const auto got = ::read(watched[n].fd, octets.data(), octets.size());
            const std::lock_guard lock(mutex_);
            Output& output = outputs_[instances[n]];
            if (output.descriptor != watched[n].fd) continue;
            if (got <= 0) {
                output.descriptor = -1;
                continue;
            }
            output.pending.append(octets.data(), static_cast<std::size_t>(got));
            for (std::size_t end; (end = output.pending.find('\n')) != std::string::npos;
                 output.pending.erase(0, end + 1)) {
                take(output, std::string_view(output.pending).substr(0, end));
            }
        }
    }
}

void ProbeLog::take(Output& output, std::string_view line) {
    if (line == "ready") output.ready = true;
    const auto words = split(line, ' ');
    if (words.size() != 3 || words[0] != "probe") return;
    if (const auto nanoseconds = parse_unsigned(words[2])) {
        output.probes[std::string(words[1])].emplace_back(
            std::chrono::nanoseconds(static_cast<std::int64_t>(*nanoseconds)));
    }
}

}  // namespace dnsd::lab
