// 10,000 checks every second: how late after their ticks do probes start, and what do they cost?
// Beside a bare loop that does the same system calls for each probe and nothing else.
//
// The endpoints are one port in a process of its own; a path or a thousandth of an interval makes
// each check an endpoint of its own, since equal ones would be probed once.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>
#include <vector>

#include "base/io/tcp.h"
#include "healthcheck/checker.h"
#include "tests/bench/machine.h"

namespace {

using namespace dnsd;
using namespace dnsd::health;
using namespace std::chrono_literals;

constexpr int checks = 10'000;
constexpr auto warm_up = 3s, measured = 10s;
constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::string_view request =
    "GET /0 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: dnsd\r\nAccept: */*\r\nConnection: "
    "close\r\n\r\n";

// Accepts; answers each first read with a page; closes when the other side does.
[[noreturn]] void respond(const io::Descriptor& listener) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int epoll = epoll_create1(0);
    epoll_event watched{EPOLLIN, {.fd = listener.number()}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener.number(), &watched);
    std::vector<epoll_event> ready(1024);
    char octets[4096];
    for (;;) {
        const int count = epoll_wait(epoll, ready.data(), static_cast<int>(ready.size()), -1);
        for (int i = 0; i < count; ++i) {
            const int descriptor = ready[static_cast<std::size_t>(i)].data.fd;
            if (descriptor == listener.number()) {
                int accepted;
                while ((accepted = accept4(descriptor, nullptr, nullptr, SOCK_NONBLOCK)) >= 0) {
                    epoll_event one{EPOLLIN, {.fd = accepted}};
                    epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &one);
                }
            } else if (recv(descriptor, octets, sizeof octets, 0) > 0) {
                (void)!send(descriptor, answer.data(), answer.size(), MSG_NOSIGNAL);
            } else {
                close(descriptor);
            }
        }
    }
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Metric metric(const Checker& checker, const std::string& name) {
    for (Metric& one : checker.metrics()) {
        if (one.name == name) return one;
    }
    return {};
}

double probes(const Checker& checker) {
    double sum = 0;
    for (const auto& sample : metric(checker, "dnsd_check_probes_total").samples)
        sum += sample.value;
    return sum;
}

// The smallest bound of the histogram under which that share of what was measured lies.
std::string at_most(const Metric& histogram, const std::vector<std::uint64_t>& before,
                    double share) {
    const auto& counts = histogram.samples[0].counts;
    double all = 0, seen = 0;
    for (std::size_t i = 0; i < counts.size(); ++i)
        all += static_cast<double>(counts[i] - before[i]);
    for (std::size_t i = 0; i < counts.size(); ++i) {
        seen += static_cast<double>(counts[i] - before[i]);
        if (seen >= share * all) {
            if (i == histogram.bounds.size()) return "> 1000 ms";
            char text[32];
            std::snprintf(text, sizeof text, "<= %g ms", histogram.bounds[i] * 1000);
            return text;
        }
    }
    return "-";
}

double measure(const char* kind, Target::Kind of, const SocketAddress& address) {
    auto checker = Checker::make({}, machine_clock(), [](std::vector<Transition>) {});
    for (std::uint64_t i = 0; i < checks; ++i) {
        Target target;
        target.kind = of;
        target.address = address;
        target.interval = 1000ms;
        target.timeout = 900ms;
        target.path = "/" + std::to_string(i);  // tcp does not look at it, but tells targets apart
        (*checker)->watch(i, target, {}, Status::Unknown, false);
    }
    std::this_thread::sleep_for(warm_up);
    const auto before = metric(**checker, "dnsd_check_lateness_seconds").samples[0].counts;
    const double probes_before = probes(**checker), cpu_before = cpu_seconds();
    const double missed_before =
        metric(**checker, "dnsd_check_ticks_missed_total").samples[0].value;
    std::this_thread::sleep_for(measured);
    const double cpu = cpu_seconds() - cpu_before, count = probes(**checker) - probes_before;
    const double missed =
        metric(**checker, "dnsd_check_ticks_missed_total").samples[0].value - missed_before;
    const Metric lateness = metric(**checker, "dnsd_check_lateness_seconds");
    const auto failed = metric(**checker, "dnsd_check_probes_total").samples[1].value;
    std::printf("%-5s %10.0f %12s %12s %12s %8.0f %8.0f %14.1f\n", kind,
                count / std::chrono::duration<double>(measured).count(),
                at_most(lateness, before, 0.5).c_str(), at_most(lateness, before, 0.99).c_str(),
                at_most(lateness, before, 1).c_str(), missed, failed, cpu / count * 1e6);
    return cpu / count;
}

// One probe after the other, as fast as they go: only the system calls.
double measure_bare(const char* kind, bool http, const SocketAddress& address) {
    constexpr int rounds = 50'000;
    sockaddr_storage to{};
    const socklen_t size = address.to(to);
    const int epoll = epoll_create1(0);
    const double before = cpu_seconds();
    for (int i = 0; i < rounds; ++i) {
        const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const linger at_once{1, 0};
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        (void)!connect(descriptor, reinterpret_cast<sockaddr*>(&to), size);
        epoll_event event{EPOLLOUT, {.fd = descriptor}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
        epoll_wait(epoll, &event, 1, -1);
        int error = 0;
        socklen_t error_size = sizeof error;
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &error_size);
        if (http) {
            (void)!send(descriptor, request.data(), request.size(), MSG_NOSIGNAL);
            event = {EPOLLIN, {.fd = descriptor}};
            epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event);
            epoll_wait(epoll, &event, 1, -1);
            char octets[4096];
            (void)!recv(descriptor, octets, sizeof octets, 0);
        }
        close(descriptor);
    }
    const double each = (cpu_seconds() - before) / rounds;
    std::printf("%-5s %67s %14.1f\n", kind, "bare loop", each * 1e6);
    return each;
}

}  // namespace

int main() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    auto listener = io::listen_tcp({Ipv4{{127, 0, 0, 1}}, 0}, false);
    if (!listener) return 1;
    const SocketAddress address = io::local_address(*listener);
    if (fork() == 0) respond(*listener);

    test::print_machine();
    std::printf("%d checks, each once a second, for %lld s\n", checks,
                static_cast<long long>(std::chrono::seconds(measured).count()));
    std::printf("%-5s %10s %12s %12s %12s %8s %8s %14s\n", "kind", "probes/s", "late p50", "p99",
                "max", "missed", "failed", "CPU us/probe");
    const double tcp = measure("tcp", Target::Kind::Tcp, address);
    const double http = measure("http", Target::Kind::Http, address);
    const double bare_tcp = measure_bare("tcp", false, address);
    const double bare_http = measure_bare("http", true, address);
    std::printf("CPU to that of the bare loop: tcp %.2f, http %.2f\n", tcp / bare_tcp,
                http / bare_http);
}
