// What one answer costs without the kernel: octets of a query in, octets of a reply out, from zones
// of 1,000 and 100,000 services of 8 instances. Prints nanoseconds per query for each kind and for
// the mix of nameserver_bench.py. One pass over few queries, of the mix or of one kind, for tools
// that count instructions:
//
//   valgrind --tool=callgrind --toggle-collect='*ask_all*' build/bench/bench_answer 1000 [SRV]
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "dnsd/nameserver/answer.h"
#include "tests/bench/machine.h"
#include "tests/support/services.h"
#include "zone/registry/publication.h"
#include "zone/wire/message.h"

using namespace dnsd;

namespace {

constexpr int instances_of_each = 8;
constexpr std::size_t queries_of_a_pass = 20'000;
constexpr std::size_t queries_of_a_batch = 32;

struct Kind {
    const char* name;
    unsigned percent;
    const char* prefix;  // of the service's number
    wire::RrType type;
    wire::Rcode rcode;
    unsigned answers;
};
constexpr std::array<Kind, 4> kinds{{
    {"A", 80, "s-", wire::RrType::A, wire::Rcode::NoError, 8},
    {"SRV", 10, "s-", wire::RrType::SRV, wire::Rcode::NoError, 8},
    {"NODATA", 5, "s-", wire::RrType::AAAA, wire::Rcode::NoError, 0},
    {"NXDOMAIN", 5, "none-", wire::RrType::A, wire::Rcode::NxDomain, 0},
}};

std::shared_ptr<const tree::ZoneSet> zones_of(unsigned services) {
    const registry::Infrastructure infrastructure;
    registry::Namespace within;
    within.spec.name = "bench.internal";
    registry::Publication publication(std::make_shared<const tree::ZoneSet>(), infrastructure);
    publication.put_namespace(nullptr, within);
    for (unsigned number = 0; number < services; ++number) {
        std::vector<model::Instance> made;
        for (int i = 0; i < instances_of_each; ++i) {
            made.push_back(test::instance("i-" + std::to_string(i)));
            made.back().spec.ipv4 =
                Ipv4{{10, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number),
                      static_cast<std::uint8_t>(i)}};
        }
        auto service = std::make_shared<registry::Service>(
            test::service("s-" + std::to_string(number), std::move(made)));
        service->spec.namespace_name = within.spec.name;
        publication.put_service(within, nullptr, service.get(), test::noon, {});
    }
    return publication.finish();
}

using Octets = std::vector<std::uint8_t>;

Octets query_for(const Kind& kind, std::uint32_t number) {
    const auto name = *wire::Name::parse(kind.prefix + std::to_string(number) + ".bench.internal");
    return wire::encode_query(static_cast<std::uint16_t>(number),
                              {name, kind.type, wire::RrClass::IN}, 1232, {});
}

struct Bench {
    std::shared_ptr<const tree::ZoneSet> zones;
    nameserver::AnswerOptions options{};
    nameserver::AnswerCounters counters{};
    Random random{1};
    std::array<std::uint8_t, 1232> reply{};

    // As a worker does: the names of a batch are looked for at once. A function of its own, so that
    // it can be named to tools.
    [[gnu::noinline]] std::size_t ask_all(const std::vector<Octets>& queries) {
        std::size_t octets = 0;
        tree::LookAhead ahead;
        for (std::span<const Octets> left = queries; !left.empty();) {
            const auto batch = left.first(std::min(left.size(), queries_of_a_batch));
            left = left.subspan(batch.size());
            ahead.clear();
            for (const Octets& query : batch) {
                const auto question = wire::glance_at_question(query);
                ahead.add(*zones, question->name, question->type);
            }
            ahead.fetch();
            for (std::size_t i = 0; i < batch.size(); ++i) octets += ask(batch[i], ahead[i]);
        }
        return octets;
    }
    std::size_t ask(const Octets& query, std::optional<tree::LookAhead::Found> ahead = {}) {
        return nameserver::answer(query,
                                  {.zones = *zones,
                                   .options = options,
                                   .transport = nameserver::Transport::Udp,
                                   .now = test::noon,
                                   .random = random,
                                   .counters = counters,
                                   .ahead = ahead},
                                  reply)
            .octets;
    }
};

void check(Bench& bench, const Kind& kind, const Octets& query) {
    const std::size_t octets = bench.ask(query);
    const auto message = wire::decode_message(std::span(bench.reply).first(octets));
    const auto answers = !message ? -1
                                  : std::ranges::count(message->records, wire::Section::Answer,
                                                       &wire::Record::section);
    if (message && message->rcode() == kind.rcode && answers == kind.answers) return;
    std::fprintf(stderr, "%s is answered with %ld records\n", kind.name,
                 static_cast<long>(answers));
    std::exit(1);
}

double nanoseconds_of(Bench& bench, const std::vector<Octets>& queries) {
    double best = 1e9;
    for (int round = 0; round < 20; ++round) {
        const auto start = std::chrono::steady_clock::now();
        bench.ask_all(queries);
        const std::chrono::duration<double, std::nano> took =
            std::chrono::steady_clock::now() - start;
        best = std::min(best, took.count() / static_cast<double>(queries.size()));
    }
    return best;
}

// The mix, or queries of the kind that is named alone; `see` is given a pass of each kind first.
template <class See>
std::vector<Octets> mix_of(Bench& bench, unsigned services, std::string_view only, See see) {
    Random random(2);
    std::vector<Octets> mix;
    for (const Kind& kind : kinds) {
        std::vector<Octets> queries;
        for (std::size_t i = 0; i < queries_of_a_pass; ++i)
            queries.push_back(query_for(kind, draw_below(random, services)));
        check(bench, kind, queries.front());
        see(queries);
        const std::size_t percent = only.empty() ? kind.percent : only == kind.name ? 100 : 0;
        mix.insert(mix.end(), queries.begin(),
                   queries.begin() + static_cast<long>(queries_of_a_pass * percent / 100));
    }
    std::ranges::shuffle(mix, random);
    return mix;
}

void measure(unsigned services) {
    Bench bench{zones_of(services)};
    const auto print = [&](const std::vector<Octets>& queries) {
        std::printf(" %9.0f", nanoseconds_of(bench, queries));
    };
    std::printf("%10u", services);
    print(mix_of(bench, services, "", print));
    std::printf("\n");
}

void ask_once(unsigned services, std::string_view only) {
    Bench bench{zones_of(services)};
    const auto mix = mix_of(bench, services, only, [](const auto&) {});
    std::printf("%zu queries, %zu octets of replies\n", mix.size(), bench.ask_all(mix));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1) {
        ask_once(static_cast<unsigned>(std::atoi(argv[1])), argc > 2 ? argv[2] : "");
        return 0;
    }
    test::print_machine();
    std::printf("ns/query\n%10s", "services");
    for (const Kind& kind : kinds) std::printf(" %9s", kind.name);
    std::printf(" %9s\n", "mix");
    for (const unsigned services : {1'000u, 100'000u}) measure(services);
}
