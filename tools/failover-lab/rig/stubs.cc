// The stub resolvers of glibc and c-ares, each in a process of its own: a lookup that blocks,
// blocks nobody else.
#include <ares.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <functional>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/address.h"
#include "base/text.h"
#include "tools/failover-lab/rig/sources.h"

namespace dnsd::lab {
namespace {

void print_line(const std::string& line) {
    // One write: lines of several threads stay whole.
    const std::string whole = line + "\n";
    (void)!::write(STDOUT_FILENO, whole.data(), whole.size());
}

// Lines "ID NAME".
bool read_question(const std::string& line, std::string& number, std::string& name) {
    const auto space = line.find(' ');
    if (space == std::string::npos) return false;
    number = line.substr(0, space);
    name = line.substr(space + 1);
    return true;
}

std::string found(const std::string& number, const addrinfo* list) {
    std::string line = number + " ok";
    for (; list != nullptr; list = list->ai_next) {
        line += " " + print(SocketAddress::from(*list->ai_addr).ip);
    }
    return line;
}

void look_up_by_glibc(const std::string& line) {
    std::string number, name;
    if (!read_question(line, number, name)) return;
    addrinfo hints{}, *list = nullptr;
    // As most programs ask, IPv6 too; asked for IPv4 alone glibc takes a way past nscd's cache.
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    const int status = ::getaddrinfo(name.c_str(), nullptr, &hints, &list);
    if (status == 0) {
        print_line(found(number, list));
        ::freeaddrinfo(list);
    } else if (status == EAI_NONAME || status == EAI_NODATA) {
        print_line(number + " ok");
    } else {
        print_line(fmt::format("{} failed {}", number, ::gai_strerror(status)));
    }
}

// As many lookups as a busy client has threads: more wait for each other.
void serve_glibc() {
    constexpr int threads_max = 32;
    std::mutex mutex;  // of the queue and the end
    std::condition_variable changed;
    std::deque<std::string> queue;
    bool ended = false;
    std::vector<std::jthread> threads;
    for (int n = 0; n < threads_max; ++n) {
        threads.emplace_back([&] {
            while (true) {
                std::unique_lock lock(mutex);
                changed.wait(lock, [&] { return ended || !queue.empty(); });
                if (queue.empty()) return;
                const std::string line = std::move(queue.front());
                queue.pop_front();
                lock.unlock();
                look_up_by_glibc(line);
            }
        });
    }
    for (std::string line; std::getline(std::cin, line);) {
        const std::lock_guard lock(mutex);
        queue.push_back(std::move(line));
        changed.notify_one();
    }
    const std::lock_guard lock(mutex);
    ended = true;
    changed.notify_all();
}

void look_up_by_cares(ares_channel channel, const std::string& line) {
    std::string number, name;
    if (!read_question(line, number, name)) return;
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    const auto done = [](void* argument, int status, int, ares_addrinfo* answer) {
        const std::unique_ptr<std::string> number_of(static_cast<std::string*>(argument));
        if (status == ARES_SUCCESS) {
            std::string text = *number_of + " ok";
            for (const ares_addrinfo_node* node = answer->nodes; node != nullptr;
                 node = node->ai_next) {
                text += " " + print(SocketAddress::from(*node->ai_addr).ip);
            }
            print_line(text);
            ::ares_freeaddrinfo(answer);
        } else if (status == ARES_ENODATA || status == ARES_ENOTFOUND) {
            print_line(*number_of + " ok");
        } else {
            print_line(fmt::format("{} failed {}", *number_of, ::ares_strerror(status)));
        }
    };
    ::ares_getaddrinfo(channel, name.c_str(), nullptr, &hints, done, new std::string(number));
}

Result<> serve_cares() {
    ares_channel channel = nullptr;
    if (::ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
        ::ares_init(&channel) != ARES_SUCCESS) {
        return fail("c-ares does not start");
    }
    std::string pending;
    while (true) {
        std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
        const int bits = ::ares_getsock(channel, sockets.data(), ARES_GETSOCK_MAXNUM);
        std::vector<pollfd> watched{{STDIN_FILENO, POLLIN, 0}};
        for (std::size_t n = 0; n < sockets.size(); ++n) {
            short events = 0;
            if (ARES_GETSOCK_READABLE(bits, n)) events |= POLLIN;
            if (ARES_GETSOCK_WRITABLE(bits, n)) events |= POLLOUT;
            if (events != 0) watched.push_back({sockets[n], events, 0});
        }
        timeval longest{1, 0}, wait{};
        const timeval* patience = ::ares_timeout(channel, &longest, &wait);
        ::poll(watched.data(), watched.size(),
               static_cast<int>(patience->tv_sec * 1000 + patience->tv_usec / 1000 + 1));
        for (std::size_t n = 1; n < watched.size(); ++n) {
            const bool writable = (watched[n].revents & POLLOUT) != 0;
            const bool readable = (watched[n].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
            ::ares_process_fd(channel, readable ? watched[n].fd : ARES_SOCKET_BAD,
                              writable ? watched[n].fd : ARES_SOCKET_BAD);
        }
        ::ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what took too long
        if (watched[0].revents == 0) continue;
        std::array<char, 4096> octets;
        const auto got = ::read(STDIN_FILENO, octets.data(), octets.size());
        if (got <= 0) break;
        pending.append(octets.data(), static_cast<std::size_t>(got));
        for (std::size_t end; (end = pending.find('\n')) != std::string::npos;) {
            const std::string line = pending.substr(0, end);
            pending.erase(0, end + 1);
            look_up_by_cares(channel, line);
        }
    }
    ::ares_destroy(channel);
    return {};
}

}  // namespace

Result<> serve_stub(std::string_view stub) {
    if (stub == "cares") return serve_cares();
    if (stub != "glibc") return fail(fmt::format("there is no stub '{}'", stub));
    serve_glibc();
    return {};
}

}  // namespace dnsd::lab
