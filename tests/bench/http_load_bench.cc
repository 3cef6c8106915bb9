// Changes over HTTP/1.1 from so many clients, each with a connection of its own and one request
// under way. Prints one line of JSON: what was acknowledged with 2xx, what was refused,
// and how long the former took. The first refusal is shown.
//
//   bench_http_load ADDRESS PORT CLIENTS SECONDS METHOD PATH BODY [HEADER...]
//
// In PATH and BODY, {client} is the client's number and {count} the number of its request, from 1
// to 60000 and over again; {base64} is the two of them as etcd wants a key.
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "zone/wire/presentation.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Client {
    int descriptor;
    std::size_t number;
    unsigned count = 0;
    std::string received;
    Clock::time_point asked;
};

struct Template {
    std::string method, path, body, headers;
};

std::string filled(std::string text, const Client& client) {
    const std::string number = std::to_string(client.number), count = std::to_string(client.count);
    const std::string both = number + "/" + count;
    const std::string key =
        dnsd::wire::print_base64({reinterpret_cast<const std::uint8_t*>(both.data()), both.size()});
    for (const auto& [word, value] :
         {std::pair<std::string_view, const std::string&>{"{client}", number},
          {"{count}", count},
          {"{base64}", key}}) {
        for (auto at = text.find(word); at != text.npos; at = text.find(word, at + value.size()))
            text.replace(at, word.size(), value);
    }
    return text;
}

void ask(Client& client, const Template& request) {
    client.count = client.count % 60'000 + 1;
    const std::string body = filled(request.body, client);
    const std::string octets =
        request.method + " " + filled(request.path, client) + " HTTP/1.1\r\nHost: bench\r\n" +
        request.headers +
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    client.asked = Clock::now();
    if (send(client.descriptor, octets.data(), octets.size(), MSG_NOSIGNAL) < 0) {
        std::perror("send");
        std::exit(1);
    }
}

int connected_to(const sockaddr_in& server) {
    const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(descriptor, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) {
        std::perror("connect");
        std::exit(1);
    }
    return descriptor;
}

// Whether a whole response has come.
bool is_whole(std::string_view received) {
    const auto head = received.find("\r\n\r\n");
    if (head == received.npos) return false;
    std::size_t length = 0;
    for (std::size_t at = received.find("\r\n"); at < head; at = received.find("\r\n", at + 2)) {
        constexpr std::string_view name = "content-length:", chunked = "transfer-encoding: chunked";
        const std::string_view line = received.substr(at + 2);
        if (dnsd::equal_ignoring_case(line.substr(0, name.size()), name)) {
            const std::string_view value = dnsd::trimmed(line.substr(name.size(), 20));
            std::from_chars(value.data(), value.data() + value.size(), length);
        }
        if (dnsd::equal_ignoring_case(line.substr(0, chunked.size()), chunked))
            return received.ends_with("0\r\n\r\n");
    }
    return received.size() >= head + 4 + length;
}

double at_share(std::vector<double>& times, double share) {
    if (times.empty()) return 0;
    std::ranges::sort(times);
    return times[static_cast<std::size_t>(static_cast<double>(times.size() - 1) * share)];
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 8) {
        std::fprintf(stderr,
                     "bench_http_load ADDRESS PORT CLIENTS SECONDS METHOD PATH BODY [HEADER...]\n");
        return 2;
    }
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[2])));
    inet_pton(AF_INET, argv[1], &server.sin_addr);
    const auto clients = static_cast<std::size_t>(std::atoi(argv[3]));
    Template request{argv[5], argv[6], argv[7], {}};
    for (int i = 8; i < argc; ++i) request.headers += std::string(argv[i]) + "\r\n";

    const int epoll = epoll_create1(0);
    std::vector<Client> all;
    all.reserve(clients);
    for (std::size_t i = 0; i < clients; ++i) {
        const int descriptor = connected_to(server);
        all.push_back({.descriptor = descriptor, .number = i, .received = {}, .asked = {}});
        epoll_event event{EPOLLIN, {.u64 = i}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
    }
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(std::atof(argv[4])));
    for (Client& client : all) ask(client, request);
    const auto connect_again = [&](Client& client) {
        close(client.descriptor);
        client.descriptor = connected_to(server);
        client.received.clear();
        epoll_event event{EPOLLIN, {.u64 = client.number}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, client.descriptor, &event);
    };
    std::vector<double> times;
    std::size_t refused = 0;
    std::vector<epoll_event> ready(256);
    char octets[65'536];
    while (Clock::now() < end) {
        const int count = epoll_wait(epoll, ready.data(), static_cast<int>(ready.size()), 100);
        for (int i = 0; i < count; ++i) {
            Client& client = all[ready[static_cast<std::size_t>(i)].data.u64];
            const ssize_t got = recv(client.descriptor, octets, sizeof octets, 0);
            if (got <= 0) {  // it would not even say no
                ++refused;
                connect_again(client);
                ask(client, request);
                continue;
            }
            client.received.append(octets, static_cast<std::size_t>(got));
            if (!is_whole(client.received)) continue;
            if (client.received.size() > 9 && client.received[9] == '2') {
                times.push_back(
                    std::chrono::duration<double, std::milli>(Clock::now() - client.asked).count());
            } else {
                if (refused++ == 0) std::fprintf(stderr, "%s\n", client.received.c_str());
            }
            // Some close after each response.
            if (client.received.find("onnection: close\r\n") != client.received.npos)
                connect_again(client);
            client.received.clear();
            ask(client, request);
        }
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    std::printf("{\"acknowledged\": %zu, \"refused\": %zu, \"seconds\": %.3f, \"rate\": %.1f, ",
                times.size(), refused, seconds, static_cast<double>(times.size()) / seconds);
    std::printf("\"p50_ms\": %.3f, ", at_share(times, 0.5));
    std::printf("\"p99_ms\": %.3f}\n", at_share(times, 0.99));
}
