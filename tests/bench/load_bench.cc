// The load of nameserver_bench.py: questions over UDP from many sockets, and how long each answer
// took. Closed: so many are always under way. Open: so many a second, whatever becomes of them;
// then the time runs from when each was due. Prints one line of JSON.
//
//   bench_load ADDRESS PORT QUERIES SECONDS (closed UNDER_WAY | open PER_SECOND)
//
// QUERIES: messages, each behind two octets of length (RFC 1035 §4.2.2); asked in their order, over
// and over.
#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Nanoseconds = std::int64_t;

constexpr std::size_t sockets = 16;
constexpr std::size_t batch = 32;
constexpr std::size_t reply_octets_max = 4096;
constexpr Nanoseconds patience = 500'000'000;  // then an answer is lost

Nanoseconds now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::exit(1);
}

// Counts of times, each bucket a 32nd of a power of two wide.
class Histogram {
  public:
    void add(Nanoseconds time) {
        ++counts_[bucket_of(static_cast<std::uint64_t>(std::max<Nanoseconds>(time, 0)))];
        ++total_;
    }
    double microseconds_at(double share) const {
        const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen > wanted) return static_cast<double>(value_of(i)) / 1000;
        }
        return 0;
    }
    std::uint64_t total() const { return total_; }

  private:
    static std::size_t bucket_of(std::uint64_t value) {
        if (value < 64) return value;
        const auto power = static_cast<std::size_t>(std::bit_width(value)) - 6;
        return power * 32 + static_cast<std::size_t>(value >> power);
    }
    static std::uint64_t value_of(std::size_t bucket) {
        if (bucket < 64) return bucket;
        const std::size_t power = bucket / 32 - 1;
        return std::uint64_t{bucket - power * 32} << power;
    }
    std::array<std::uint64_t, 2048> counts_{};
    std::uint64_t total_ = 0;
};

struct Totals {
    std::uint64_t asked = 0, answered = 0, lost = 0, unsent = 0, octets = 0;
    std::array<std::uint64_t, 16> by_rcode{};
    std::uint64_t truncated = 0;
    Histogram times;
};

// One socket, and the questions of it that are under way: the message's id is the place in the
// list.
class Asker {
  public:
    Asker(const sockaddr_in& server, std::size_t under_way_max) : due_(under_way_max) {
        descriptor_ = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        const int octets = 4 << 20;
        setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
        if (connect(descriptor_, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0)
            give_up("connect");
        for (std::size_t i = under_way_max; i-- > 0;)
            free_.push_back(static_cast<std::uint16_t>(i));
        buffers_.resize(batch * reply_octets_max);
        for (std::size_t i = 0; i < batch; ++i) {
            replies_[i] = {buffers_.data() + i * reply_octets_max, reply_octets_max};
            received_[i].msg_hdr = {};
            received_[i].msg_hdr.msg_iov = &replies_[i];
            received_[i].msg_hdr.msg_iovlen = 1;
        }
    }

    std::size_t under_way() const { return due_.size() - free_.size(); }
    std::size_t room() const { return std::min(free_.size(), batch); }

    // `due_at(i)` is when the i-th of them was to be asked. REQUIRES: count <= room().
    template <class NextQuery, class DueAt>
    void ask(std::size_t count, NextQuery next, DueAt due_at, Totals& totals) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::string_view query = next();
            Message& message = asked_[i];
            std::memcpy(message.octets.data(), query.data(), query.size());
            message.id = free_[free_.size() - 1 - i];
            message.octets[0] = static_cast<char>(message.id >> 8);
            message.octets[1] = static_cast<char>(message.id);
            message.part = {message.octets.data(), query.size()};
            sending_[i].msg_hdr = {};
            sending_[i].msg_hdr.msg_iov = &message.part;
            sending_[i].msg_hdr.msg_iovlen = 1;
        }
        const int sent = sendmmsg(descriptor_, sending_.data(), static_cast<unsigned>(count), 0);
        const std::size_t done = sent > 0 ? static_cast<std::size_t>(sent) : 0;
        for (std::size_t i = 0; i < done; ++i) due_[asked_[i].id] = due_at(i);
        free_.resize(free_.size() - done);
        totals.asked += done;
        totals.unsent += count - done;
    }

    // Whether anything came.
    bool receive(Totals& totals) {
        const int got = recvmmsg(descriptor_, received_.data(), batch, MSG_DONTWAIT, nullptr);
        if (got <= 0) return false;
        const Nanoseconds at = now();
        for (int i = 0; i < got; ++i) {
            const auto* octets = buffers_.data() + static_cast<std::size_t>(i) * reply_octets_max;
            const auto id = static_cast<std::uint16_t>(octets[0] << 8 | octets[1]);
            if (id >= due_.size() || due_[id] == 0) continue;  // too late
            totals.times.add(at - due_[id]);
            due_[id] = 0;
            free_.push_back(id);
            ++totals.answered;
            ++totals.by_rcode[octets[3] & 15];
            totals.truncated += (octets[2] & 2) != 0 ? 1 : 0;
            totals.octets += received_[static_cast<std::size_t>(i)].msg_len;
        }
        return true;
    }

    void drop_the_lost(Nanoseconds at, Totals& totals) {
        for (std::size_t id = 0; id < due_.size(); ++id) {
            if (due_[id] == 0 || at - due_[id] < patience) continue;
            due_[id] = 0;
            free_.push_back(static_cast<std::uint16_t>(id));
            ++totals.lost;
        }
    }

  private:
    struct Message {
        std::array<char, 512> octets;
        iovec part;
        std::uint16_t id;
    };
    int descriptor_;
    std::vector<Nanoseconds> due_;  // by id; 0: not under way
    std::vector<std::uint16_t> free_;
    std::array<Message, batch> asked_;
    std::array<mmsghdr, batch> sending_, received_;
    std::array<iovec, batch> replies_;
    std::vector<std::uint8_t> buffers_;
};

std::vector<std::string> read_queries(const char* path) {
    std::ifstream file(path, std::ios::binary);
    const std::string octets{std::istreambuf_iterator<char>(file), {}};
    std::vector<std::string> queries;
    for (std::size_t at = 0; at + 2 <= octets.size();) {
        const auto size = static_cast<std::size_t>(static_cast<std::uint8_t>(octets[at]) << 8 |
                                                   static_cast<std::uint8_t>(octets[at + 1]));
        if (size > 512 || octets.size() - at - 2 < size) break;
        queries.push_back(octets.substr(at + 2, size));
        at += 2 + size;
    }
    if (queries.empty()) give_up(path);
    return queries;
}

void print(const Totals& totals, double seconds) {
    std::printf(
        "{\"seconds\": %.3f, \"asked\": %lu, \"answered\": %lu, \"lost\": %lu, \"unsent\": %lu, "
        "\"truncated\": %lu, \"mean_octets\": %.1f, \"rcodes\": {",
        seconds, totals.asked, totals.answered, totals.lost, totals.unsent, totals.truncated,
        static_cast<double>(totals.octets) /
            static_cast<double>(std::max<std::uint64_t>(totals.answered, 1)));
    const char* comma = "";
    for (std::size_t rcode = 0; rcode < totals.by_rcode.size(); ++rcode) {
        if (totals.by_rcode[rcode] == 0) continue;
        std::printf("%s\"%zu\": %lu", comma, rcode, totals.by_rcode[rcode]);
        comma = ", ";
    }
    std::printf("}, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f}\n",
                totals.times.microseconds_at(0.5), totals.times.microseconds_at(0.99),
                totals.times.microseconds_at(0.999));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 7) {
        std::fprintf(stderr, "bench_load ADDRESS PORT QUERIES SECONDS (closed|open) NUMBER\n");
        return 2;
    }
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[2])));
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) give_up(argv[1]);
    const std::vector<std::string> queries = read_queries(argv[3]);
    const Nanoseconds length = static_cast<Nanoseconds>(std::atof(argv[4]) * 1e9);
    const bool is_open = std::string_view(argv[5]) == "open";
    const double number = std::atof(argv[6]);

    const auto under_way =
        is_open ? std::size_t{4096}
                : std::max<std::size_t>(static_cast<std::size_t>(number) / sockets, 1);
    std::vector<Asker> askers;
    askers.reserve(sockets);
    for (std::size_t i = 0; i < sockets; ++i) askers.emplace_back(server, under_way);

    Totals totals;
    std::size_t at = 0;
    const auto next_query = [&]() -> std::string_view {
        if (at == queries.size()) at = 0;
        return queries[at++];
    };
    const Nanoseconds begin = now(), end = begin + length;
    const double between = is_open ? 1e9 / number : 0;
    std::uint64_t planned = 0;  // open: that many were due so far
    std::size_t turn = 0;
    Nanoseconds swept = begin;
    for (Nanoseconds time = begin; time < end; time = now()) {
        for (Asker& asker : askers) {
            asker.receive(totals);
            if (is_open) continue;
            const std::size_t room = asker.room();
            if (room >= std::min<std::size_t>(8, under_way) || asker.under_way() == 0)
                asker.ask(room, next_query, [&](std::size_t) { return now(); }, totals);
        }
        if (is_open) {
            const auto due =
                static_cast<std::uint64_t>(static_cast<double>(now() - begin) / between);
            for (std::size_t tries = 0; planned < due && tries < sockets; ++tries) {
                Asker& asker = askers[turn++ % sockets];
                const auto count = std::min<std::uint64_t>({due - planned, asker.room(), 8});
                if (count == 0) continue;
                asker.ask(
                    count, next_query,
                    [&](std::size_t i) {
                        return begin +
                               static_cast<Nanoseconds>(static_cast<double>(planned + i) * between);
                    },
                    totals);
                planned += count;
            }
        }
        if (time - swept > patience / 5) {
            for (Asker& asker : askers) asker.drop_the_lost(time, totals);
            swept = time;
        }
    }
    print(totals, static_cast<double>(now() - begin) / 1e9);
}
