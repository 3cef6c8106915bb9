// A hundred thousand instances that turn unhealthy at once, the breaker off: how long until all of
// it is committed and published, and what answers cost meanwhile to a thread that does nothing
// else. A real registry and a real store; the verdicts come from here instead of from probes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/snapshot.h"
#include "dnsd/nameserver/answer.h"
#include "tests/bench/machine.h"
#include "tests/support/services.h"
#include "zone/registry/registry.h"
#include "zone/wire/message.h"

using namespace dnsd;

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::uint32_t services = 12'500;
constexpr int instances_of_each = 8;
constexpr std::size_t batch =
    32;  // answers between two looks at the snapshot, as a worker has them

// Knows only what it is told to watch.
class NoProbes final : public health::Checker {
  public:
    void watch(std::uint64_t watch, health::Target, health::Thresholds, health::Status,
               bool) override {
        const std::lock_guard lock(mutex_);
        watches_.push_back(watch);
    }
    void unwatch(std::uint64_t) override {}
    void heartbeat(std::uint64_t) override {}
    void reconfirm(std::uint64_t, std::move_only_function<void(health::Reconfirmed)>) override {}
    void set_breaker_percent(double) override {}
    std::vector<Metric> metrics() const override { return {}; }
    std::vector<std::uint64_t> watches() const {
        const std::lock_guard lock(mutex_);
        return watches_;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<std::uint64_t> watches_;
};

registry::Outcome carried_out(registry::Registry& registry, registry::Change change) {
    std::promise<registry::Outcome> promise;
    registry.submit(std::move(change),
                    [&](registry::Outcome outcome) { promise.set_value(std::move(outcome)); });
    return promise.get_future().get();
}

void fill(registry::Registry& registry) {
    const auto must = [&](auto what) {
        if (!carried_out(registry, {.what = std::move(what), .if_match = {}})) std::abort();
    };
    must(registry::PutNamespace{{.name = "example.org", .description = {}}});
    for (std::uint32_t number = 0; number < services; ++number) {
        const std::string name = "s-" + std::to_string(number);
        model::ServiceSpec spec{.namespace_name = "example.org", .name = name};
        spec.check.type = model::CheckType::Tcp;
        must(registry::PutService{spec});
        registry::PutInstances all{"example.org", name, {}};
        for (int i = 0; i < instances_of_each; ++i)
            all.specs.push_back(test::spec("i-" + std::to_string(i), static_cast<std::uint8_t>(i)));
        must(std::move(all));
    }
}

// Answers A of services drawn at random until it is stopped; the microseconds of each answer.
struct Answerer {
    explicit Answerer(registry::Registry& from) : registry(from) {}
    void run() {
        SnapshotView<tree::ZoneSet> view(registry.zones());
        Random random(1);
        nameserver::AnswerOptions options;
        nameserver::AnswerCounters counters;
        std::array<std::uint8_t, 1232> reply;
        while (!stopped.load(std::memory_order_relaxed)) {
            const tree::ZoneSet& zones = view.latest();
            for (std::size_t i = 0; i < batch; ++i) {
                const auto& query = queries[draw_below(random, services)];
                const auto start = Steady::now();
                nameserver::answer(query,
                                   {.zones = zones,
                                    .options = options,
                                    .transport = nameserver::Transport::Udp,
                                    .now = test::noon,
                                    .random = random,
                                    .counters = counters},
                                   reply);
                const std::chrono::duration<float, std::micro> took = Steady::now() - start;
                times[during.load(std::memory_order_relaxed) ? 1 : 0].push_back(took.count());
            }
        }
    }

    registry::Registry& registry;
    std::vector<std::vector<std::uint8_t>> queries;
    std::atomic<bool> stopped{false}, during{false};
    std::array<std::vector<float>, 2> times;
};

float share(std::vector<float>& times, double at) {
    std::ranges::sort(times);
    return times[static_cast<std::size_t>(static_cast<double>(times.size() - 1) * at)];
}

}  // namespace

int main(int argc, char** argv) {
    std::string folder =
        (argc > 1 ? std::string(argv[1]) : std::string("/var/tmp")) + "/bench-XXXXXX";
    if (!mkdtemp(folder.data())) return 1;
    auto store = store::Store::open(
        {.path = folder + "/dnsd.db", .synchronous_full = true, .events_keep = 100'000});
    if (!store) return 1;
    auto opened = registry::Registry::open({}, std::move(*store), machine_clock());
    if (!opened) return 1;
    registry::Registry& registry = **opened;
    NoProbes checker;
    fill(registry);
    registry.attach(&checker);
    const auto watches = checker.watches();

    Answerer answerer(registry);
    for (auto& times : answerer.times) times.reserve(50'000'000);
    for (std::uint32_t number = 0; number < services; ++number) {
        const auto name = *wire::Name::parse("s-" + std::to_string(number) + ".example.org");
        answerer.queries.push_back(
            wire::encode_query(1, {name, wire::RrType::A, wire::RrClass::IN}, 1232));
    }
    std::thread thread([&] { answerer.run(); });
    test::print_machine();
    std::printf("%zu transitions at once, synchronous=FULL in %s\n", watches.size(),
                folder.c_str());
    // Up first: unknown instances are in answers already, and so nothing changes in the zone.
    for (const health::Status status :
         {health::Status::Healthy, health::Status::Unhealthy, health::Status::Healthy}) {
        std::this_thread::sleep_for(std::chrono::seconds(2));  // of quiet
        std::vector<health::Transition> transitions;
        for (const std::uint64_t watch : watches)
            transitions.push_back({watch, status, machine_clock().wall(), {}});
        answerer.during = true;
        const auto start = Steady::now();
        registry.transitions(std::move(transitions));
        // What is submitted afterwards is carried out afterwards.
        model::ServiceSpec last{.namespace_name = "example.org", .name = "last"};
        last.description = std::to_string(static_cast<int>(status)) +
                           std::to_string(start.time_since_epoch().count());
        if (!carried_out(registry, {.what = registry::PutService{last}, .if_match = {}})) return 1;
        const std::chrono::duration<double> took = Steady::now() - start;
        answerer.during = false;
        std::printf("all %s: published in %.2f s\n",
                    status == health::Status::Healthy ? "healthy" : "unhealthy", took.count());
    }
    answerer.stopped = true;
    thread.join();
    std::printf("%12s %10s %10s %10s %10s\n", "an answer, us", "count", "p50", "p99", "p99.9");
    for (const int during : {0, 1}) {
        auto& times = answerer.times[static_cast<std::size_t>(during)];
        std::printf("%12s %10zu %10.2f %10.2f %10.2f\n", during ? "meanwhile" : "quiet",
                    times.size(), share(times, 0.5), share(times, 0.99), share(times, 0.999));
    }
    registry.attach(nullptr);
    opened->reset();
    std::filesystem::remove_all(folder);
}
