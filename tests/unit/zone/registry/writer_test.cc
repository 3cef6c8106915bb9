#include "zone/registry/writer.h"

#include <doctest/doctest.h>

#include <condition_variable>
#include <future>
#include <latch>

#include "tests/support/manual_clock.h"
#include "tests/support/services.h"
#include "tests/unit/zone/store/rows.h"

using namespace dnsd;
using namespace dnsd::registry;
using model::HealthStatus;
using test::spec;
using namespace std::chrono_literals;

namespace {

// What the test lets happen to the real store: it can fail, and be held at the door.
struct Weather {
    std::atomic<bool> fails{false};
    std::atomic<int> transactions{0};
    std::mutex door;  // held by a test: begin() waits
};

class WeatheredStore final : public store::Store {
  public:
    WeatheredStore(std::unique_ptr<Store> real, Weather& weather)
        : real_(std::move(real)), weather_(weather) {}
    Result<store::Contents> load() override { return real_->load(); }
    Result<> begin() override {
        const std::lock_guard through(weather_.door);
        return real_->begin();
    }
    Result<> save(const store::NamespaceRow& row) override { return real_->save(row); }
    Result<> save(const store::ServiceRow& row) override { return real_->save(row); }
    Result<> save(const store::InstanceRow& row) override { return real_->save(row); }
    Result<> remove_namespace(const std::string& name) override {
        return real_->remove_namespace(name);
    }
    Result<> remove_service(const std::string& within, const std::string& name) override {
        return real_->remove_service(within, name);
    }
    Result<> remove_instance(const std::string& within, const std::string& service,
                             const std::string& id) override {
        return real_->remove_instance(within, service, id);
    }
    Result<> load_instances(const std::function<void(store::InstanceRow)>& take) override {
        return real_->load_instances(take);
    }
    Result<> load_records(const std::function<void(store::RecordsRow)>& take) override {
        return real_->load_records(take);
    }
    Result<> save(const store::RecordsRow& row) override { return real_->save(row); }
    Result<> save(const store::KeyRow& row) override { return real_->save(row); }
    Result<> remove_records(const std::string& within, const std::vector<std::uint8_t>& owner,
                            std::uint16_t type) override {
        return real_->remove_records(within, owner, type);
    }
    Result<> remove_all_records(const std::string& within) override {
        return real_->remove_all_records(within);
    }
    Result<> remove_key(const std::string& name) override { return real_->remove_key(name); }
    Result<> append(const store::DifferenceRow& row, store::HistoryLimits limits) override {
        return real_->append(row, limits);
    }
    Result<> forget_differences(const std::string& within) override {
        return real_->forget_differences(within);
    }
    Result<> append(const model::Event& event) override { return real_->append(event); }
    Result<> set_times(model::Revision revision, const model::Times& times) override {
        return real_->set_times(revision, times);
    }
    Result<> set_revision(model::Revision revision) override {
        return real_->set_revision(revision);
    }
    Result<> set_identity(const std::string& identity) override {
        return real_->set_identity(identity);
    }
    Result<> commit() override {
        if (weather_.fails) return fail("disk full");
        ++weather_.transactions;
        return real_->commit();
    }
    void roll_back() noexcept override { real_->roll_back(); }
    Result<> check_writable() override {
        if (weather_.fails) return fail("disk full");
        return real_->check_writable();
    }

  private:
    std::unique_ptr<Store> real_;
    Weather& weather_;
};

// Writes down what it is told; a test plays its probes.
class ToldChecker final : public health::Checker {
  public:
    struct Watch {
        health::Target target;
        health::Status status;
        bool at_once;
    };
    void watch(std::uint64_t watch, health::Target target, health::Thresholds,
               health::Status status, bool at_once) override {
        const std::lock_guard lock(mutex);
        watches[watch] = {target, status, at_once};
    }
    void unwatch(std::uint64_t watch) override {
        const std::lock_guard lock(mutex);
        watches.erase(watch);
    }
    void heartbeat(std::uint64_t) override { ++heartbeats; }
    void reconfirm(std::uint64_t,
                   std::move_only_function<void(health::Reconfirmed)> done) override {
        ++reconfirmations;
        done({health::Reconfirmed::Kind::Verdict, health::Status::Unhealthy});
    }
    void set_breaker_percent(double) override {}
    std::vector<Metric> metrics() const override { return {}; }

    std::map<std::uint64_t, Watch> all() {
        const std::lock_guard lock(mutex);
        return watches;
    }
    std::mutex mutex;
    std::map<std::uint64_t, Watch> watches;
    std::atomic<int> heartbeats{0}, reconfirmations{0};
};

struct Running {
    store::Folder folder;
    Weather weather;
    test::ManualClock clock;
    Registry::Options options;
    std::unique_ptr<Registry> registry;

    void start() {
        auto opened = Registry::open(
            options, std::make_unique<WeatheredStore>(store::must_open(folder.file()), weather),
            clock);
        REQUIRE(opened);
        registry = std::move(*opened);
    }
    void restart() {
        registry.reset();
        start();
    }

    template <class What>
    std::future<Outcome> submit(What what) {
        auto promise = std::make_shared<std::promise<Outcome>>();
        auto future = promise->get_future();
        registry->submit(Change{.what = std::move(what), .if_match = {}},
                         [promise](Outcome outcome) { promise->set_value(std::move(outcome)); });
        return future;
    }
    template <class What>
    Outcome step(What what) {
        return submit(std::move(what)).get();
    }
    Outcome put(const model::InstanceSpec& instance) {
        return step(PutInstance{"example.org", "web", instance});
    }
    // Whatever waits for its time is looked at; nothing else happens.
    void wake() { step(DeleteNamespace{"no.such.example"}); }

    void begin(model::CheckType check = model::CheckType::None,
               std::function<void(model::ServiceSpec&)> adjust = {}) {
        REQUIRE(step(PutNamespace{
            {.name = "example.org", .dns = true, .ttl = 5, .negative_ttl = 2, .description = {}}}));
        model::ServiceSpec web;
        web.namespace_name = "example.org";
        web.name = "web";
        web.check.type = check;
        if (adjust) adjust(web);
        REQUIRE(step(PutService{web}));
    }

    const tree::RRset* served(const std::string& name, wire::RrType type) {
        zones = registry->zones().load();
        const auto zone = zones->find_apex(*wire::Name::parse("example.org"));
        const tree::Node* node = zone ? zone->find(*wire::Name::parse(name)) : nullptr;
        return node ? node->find(type) : nullptr;
    }
    std::uint32_t serial() {
        return registry->state().load()->find_namespace("example.org")->serial;
    }
    const model::Instance* find(const std::string& id) {
        state = registry->state().load();
        const Service* service = state->find_service("example.org", "web");
        return service ? service->find(id) : nullptr;
    }
    std::vector<model::Event> events() {
        auto reader = store::EventReader::open(folder.file());
        REQUIRE(reader);
        auto read = (*reader)->after(0, 1000, {});
        REQUIRE(read);
        return *read;
    }

    std::shared_ptr<const tree::ZoneSet> zones;
    std::shared_ptr<const State> state;
};

}  // namespace

TEST_CASE("what is acknowledged is committed and visible") {
    Running running;
    running.start();
    running.begin();
    const auto put = running.put(spec("i-1"));
    REQUIRE(put);
    CHECK(put->created);
    CHECK(running.served("web.example.org", wire::RrType::A));
    CHECK(running.served("_web._tcp.example.org", wire::RrType::SRV));
    CHECK(running.served("i-1.web.example.org", wire::RrType::A));
    CHECK(put->state->find_service("example.org", "web")->find("i-1")->revision == put->revision);
    const auto events = running.events();
    REQUIRE_FALSE(events.empty());
    CHECK(events.back().cause == "registered");
    CHECK(events.back().revision == put->revision);
    CHECK(events.back().serial == running.serial());
    CHECK(std::ranges::count(events.back().dns_names, "i-1.web.example.org") == 1);
    CHECK(std::ranges::count(events.back().dns_names, "web.example.org") == 1);
}

TEST_CASE("the serial moves with what an AXFR would hold, and with nothing else") {
    Running running;
    running.start();
    running.begin();
    const auto before = running.serial();
    REQUIRE(running.put(spec("i-1")));
    CHECK(running.serial() == before + 1);
    model::InstanceSpec described = spec("i-1");
    described.attributes["az"] = "a";
    REQUIRE(running.put(described));
    CHECK(running.serial() == before + 1);
    running.restart();
    CHECK(running.serial() == before + 1);
}

TEST_CASE("all that waits is one transaction, and each change stands alone") {
    Running running;
    running.start();
    running.begin();
    std::vector<std::future<Outcome>> outcomes;
    {
        const std::lock_guard closed(running.weather.door);
        outcomes.push_back(running.submit(PutInstance{"example.org", "web", spec("first")}));
        // The writer is at the door with the first, or takes it along with the others.
        for (int i = 0; i < 100; ++i)
            outcomes.push_back(running.submit(PutInstance{"example.org", i == 50 ? "none" : "web",
                                                          spec("i-" + std::to_string(i))}));
        running.weather.transactions = 0;
    }
    int refused = 0;
    for (auto& outcome : outcomes) refused += !outcome.get().has_value();
    CHECK(refused == 1);
    CHECK(running.weather.transactions <= 3);  // the first, the others, times that were waiting
    CHECK(running.registry->state().load()->find_service("example.org", "web")->instances.size() ==
          100);
    const auto events = running.events();
    CHECK(std::ranges::count(events, std::string("registered"), &model::Event::cause) == 100);
    for (const model::Event& event : events) {
        if (event.cause != "registered") continue;
        CHECK(std::ranges::count(event.dns_names, event.instances[0].id + ".web.example.org") == 1);
        CHECK(std::ranges::count(event.dns_names, "web.example.org") == 1);
    }
}

TEST_CASE("where the commit fails all are told so, nothing has changed, and answers go on") {
    Running running;
    running.start();
    running.begin();
    REQUIRE(running.put(spec("i-1")));
    const auto revision = running.registry->state().load()->revision;
    running.weather.fails = true;
    const auto refused = running.put(spec("i-2", 2));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Refusal::Kind::Unavailable);
    CHECK(refused.error().detail.find("disk full") != std::string::npos);
    CHECK_FALSE(running.registry->check_writable());
    CHECK(running.registry->state().load()->revision == revision);
    CHECK(running.served("web.example.org", wire::RrType::A)->size() == 1);
    running.weather.fails = false;
    REQUIRE(running.put(spec("i-2", 2)));
    CHECK(running.registry->check_writable());
    CHECK(running.served("web.example.org", wire::RrType::A)->size() == 2);
}

TEST_CASE("a verdict survives a store that fails for a while") {
    Running running;
    running.start();
    ToldChecker checker;
    running.registry->attach(&checker);
    running.begin(model::CheckType::Tcp);
    REQUIRE(running.put(spec("i-1")));
    const auto watches = checker.all();
    REQUIRE(watches.size() == 1);
    running.weather.fails = true;
    running.registry->transitions(
        {{watches.begin()->first, health::Status::Healthy, running.clock.wall(), {}}});
    running.put(spec("i-2"));  // refused, and behind the verdict
    CHECK(running.find("i-1")->status == HealthStatus::Unknown);
    running.weather.fails = false;
    running.clock.advance(1s);
    REQUIRE(running.put(spec("i-3")));
    CHECK(running.find("i-1")->status == HealthStatus::Healthy);
    running.registry->attach(nullptr);
}

TEST_CASE("a drain ends when the last copy that was handed out has run out, plus one second") {
    Running running;
    running.start();
    running.clock.advance(1h);  // so that nothing of the start matters
    running.begin();
    REQUIRE(running.put(spec("i-1")));
    REQUIRE(running.put(spec("i-2", 2)));
    const auto delete_first = [&] {
        return running.step(DeleteInstance{"example.org", "web", "i-1"});
    };

    SUBCASE("nobody was answered: nothing to wait for but the second") {
        const auto gone = delete_first();
        REQUIRE(gone);
        CHECK(*gone->safe_after == running.clock.wall() + 1s);
    }
    SUBCASE("an A answer counts with its TTL") {
        running.served("web.example.org", wire::RrType::A)
            ->mark()
            ->answered(running.clock.wall(), 5);
        running.clock.advance(2s);
        const auto gone = delete_first();
        CHECK(*gone->safe_after == running.clock.wall() + 3s + 1s);
    }
    SUBCASE("an SRV answer counts with its TTL and that of the target's own name") {
        running.served("web.example.org", wire::RrType::SRV)
            ->mark()
            ->answered(running.clock.wall(), 5);
        running.clock.advance(2s);
        const auto gone = delete_first();
        CHECK(*gone->safe_after == running.clock.wall() + 3s + 5s + 1s);

        SUBCASE("meanwhile its own name is answered, and it is in no other answer") {
            CHECK(running.served("i-1.web.example.org", wire::RrType::A));
            CHECK(running.served("web.example.org", wire::RrType::A)->size() == 1);
            CHECK(running.served("web.example.org", wire::RrType::SRV)->size() == 1);
            CHECK(running.find("i-1")->drain);
        }
        SUBCASE("a second DELETE gives the same reply, also after a restart") {
            CHECK(delete_first()->safe_after == gone->safe_after);
            running.restart();
            const auto again = delete_first();
            CHECK(again->safe_after == gone->safe_after);
            CHECK(again->revision == gone->revision);
        }
        SUBCASE("then it is gone, and its name with it") {
            running.clock.advance(9s);
            running.wake();
            running.wake();
            CHECK_FALSE(running.find("i-1"));
            CHECK_FALSE(running.served("i-1.web.example.org", wire::RrType::A));
            CHECK(running.events().back().cause == "drain_ended");
        }
    }
    SUBCASE("a TTL lowered first does not shorten it") {
        running.served("web.example.org", wire::RrType::A)
            ->mark()
            ->answered(running.clock.wall(), 5);
        const WallTime lapses = running.clock.wall() + 5s;
        auto lower = running.registry->state().load()->find_service("example.org", "web")->spec;
        lower.ttl.a = 0;
        REQUIRE(running.step(PutService{lower}));
        CHECK(*delete_first()->safe_after == lapses + 1s);
    }
}

TEST_CASE("where answers are not tracked a drain lasts for the largest TTLs in force") {
    Running running;
    running.options.track_answers = false;
    running.start();
    running.begin();
    REQUIRE(running.put(spec("i-1")));
    const auto gone = running.step(DeleteInstance{"example.org", "web", "i-1"});
    CHECK(*gone->safe_after == running.clock.wall() + 5s + 5s + 1s);
}

TEST_CASE("after a restart a drain covers what the process before may have answered") {
    Running running;
    running.start();
    running.begin();
    REQUIRE(running.put(spec("i-1")));
    running.restart();
    const auto gone = running.step(DeleteInstance{"example.org", "web", "i-1"});
    CHECK(*gone->safe_after == running.clock.wall() + 5s + 5s + 1s);
}

TEST_CASE("a restart restores all of it, statuses included, and never empties an answer") {
    Running running;
    running.start();
    {
        ToldChecker checker;
        running.registry->attach(&checker);
        running.begin(model::CheckType::Tcp);
        REQUIRE(running.put(spec("i-1")));
        running.registry->transitions(
            {{checker.all().begin()->first, health::Status::Healthy, running.clock.wall(), {}}});
        REQUIRE(running.put(spec("i-2", 2)));
        running.registry->attach(nullptr);
    }
    const auto before = running.registry->state().load();
    running.restart();
    const auto after = running.registry->state().load();
    CHECK(after->revision == before->revision);
    for (const std::string id : {"i-1", "i-2"}) {
        CHECK(*after->find_service("example.org", "web")->find(id) ==
              *before->find_service("example.org", "web")->find(id));
    }
    CHECK(running.served("web.example.org", wire::RrType::A)->size() == 1);
    ToldChecker checker;
    running.registry->attach(&checker);
    const auto watches = checker.all();
    REQUIRE(watches.size() == 2);
    CHECK(watches.begin()->second.status == health::Status::Healthy);
    CHECK(watches.begin()->second.at_once);
    running.registry->attach(nullptr);
}

TEST_CASE("verdicts move answers, and one about an endpoint that is no more moves nothing") {
    Running running;
    running.start();
    ToldChecker checker;
    running.registry->attach(&checker);
    running.begin(model::CheckType::Tcp);
    REQUIRE(running.put(spec("i-1")));
    CHECK_FALSE(running.served("web.example.org", wire::RrType::A));
    const std::uint64_t first = checker.all().begin()->first;
    const auto report = [&](std::uint64_t watch, health::Status status) {
        running.registry->transitions(
            {{watch,
              status,
              running.clock.wall(),
              {{running.clock.wall(), running.clock.wall(), false, "connection refused"}}}});
        running.step(DeleteNamespace{"no.such.example"});
    };
    report(first, health::Status::Healthy);
    CHECK(running.served("web.example.org", wire::RrType::A));
    CHECK(running.find("i-1")->health_revision > running.find("i-1")->revision);
    const auto event = running.events().back();
    CHECK(event.cause == "health");
    REQUIRE(event.probes.size() == 1);
    CHECK(event.probes[0].outcome == "connection refused");
    CHECK(event.times.detected == running.clock.wall());

    REQUIRE(running.put(spec("i-1", 9)));  // another endpoint, same instance
    CHECK(running.find("i-1")->status == HealthStatus::Unknown);
    REQUIRE(checker.all().size() == 1);
    CHECK(checker.all().begin()->first != first);
    report(first, health::Status::Healthy);
    CHECK(running.find("i-1")->status == HealthStatus::Unknown);

    REQUIRE(running.step(DeleteInstance{"example.org", "web", "i-1"}));
    CHECK(checker.all().empty());
    running.registry->attach(nullptr);
}

TEST_CASE("heartbeats and reconfirmations are for those that have such a check") {
    Running running;
    running.start();
    ToldChecker checker;
    running.registry->attach(&checker);
    running.begin(model::CheckType::Lease);
    CHECK(running.step(Heartbeat{"example.org", "web", "i-1"}).error().kind ==
          Refusal::Kind::NotFound);
    REQUIRE(running.put(spec("i-1")));
    CHECK(running.step(Heartbeat{"example.org", "web", "i-1"}));
    CHECK(checker.heartbeats == 1);
    CHECK(running.step(Reconfirm{"example.org", "web", "i-1", true}).error().kind ==
          Refusal::Kind::Conflict);
    auto probing = running.registry->state().load()->find_service("example.org", "web")->spec;
    probing.check.type = model::CheckType::Tcp;
    REQUIRE(running.step(PutService{probing}));
    const auto verdict = running.step(Reconfirm{"example.org", "web", "i-1", true});
    REQUIRE(verdict);
    CHECK(verdict->verdict == HealthStatus::Unhealthy);
    running.registry->attach(nullptr);
}

TEST_CASE("enough reported failures within the window have an instance probed, and no more") {
    Running running;
    running.start();
    ToldChecker checker;
    running.registry->attach(&checker);
    running.begin(model::CheckType::Tcp);
    Report report{.namespace_name = "example.org", .service = "web", .id = "i-1"};
    CHECK(running.step(report).error().kind == Refusal::Kind::NotFound);
    REQUIRE(running.put(spec("i-1")));
    const auto failures = [&](std::uint32_t count) {
        report.count = count;
        const auto outcome = running.step(report);
        REQUIRE(outcome);
        CHECK(outcome->reported->threshold == 3);
        return *outcome->reported;
    };
    CHECK(failures(2).failures == 2);
    running.clock.advance(10s);
    CHECK(failures(1).failures == 1);  // the two have lapsed
    CHECK(failures(1).failures == 2);
    CHECK(checker.reconfirmations == 0);
    CHECK(failures(1).reconfirm);
    CHECK(checker.reconfirmations == 1);
    CHECK(running.find("i-1")->status == HealthStatus::Unknown);  // they are no verdict

    for (int i = 0; i < 1000; ++i) CHECK_FALSE(failures(1000).reconfirm);
    CHECK(checker.reconfirmations == 1);  // one a second
    running.clock.advance(1s);
    report.wait = true;
    const auto verdict = running.step(report);
    REQUIRE(verdict);
    CHECK(verdict->verdict == HealthStatus::Unhealthy);
    CHECK(checker.reconfirmations == 2);

    running.clock.advance(1s);
    failures(2);
    report.failure = false;
    CHECK(failures(1).failures == 0);
    report.failure = true;
    CHECK_FALSE(failures(2).reconfirm);
    running.registry->attach(nullptr);
}

TEST_CASE("custom_health_delay holds a status back, and its acknowledgement") {
    Running running;
    running.start();
    running.begin(model::CheckType::Custom,
                  [](model::ServiceSpec& web) { web.custom_health_delay = 30s; });
    REQUIRE(running.put(spec("i-1")));
    auto set = running.submit(SetHealth{"example.org", "web", "i-1", HealthStatus::Healthy});
    running.wake();
    CHECK(running.find("i-1")->status == HealthStatus::Unknown);
    running.clock.advance(31s);
    running.wake();
    REQUIRE(set.get());
    CHECK(running.find("i-1")->status == HealthStatus::Healthy);
}

TEST_CASE("publish_delay stands between commit and visible") {
    Running running;
    running.options.publish_delay = 60s;
    running.start();
    auto put = running.submit(PutNamespace{{.name = "example.org", .description = {}}});
    auto fence = running.submit(DeleteNamespace{"no.such.example"});
    // The store has it; nobody can see it yet.
    while (running.events().empty()) std::this_thread::yield();
    CHECK(running.registry->state().load()->revision == 0);
    running.clock.advance(61s);
    auto last = running.submit(DeleteNamespace{"no.such.example"});
    REQUIRE(put.get());
    CHECK(running.registry->state().load()->revision == 1);
    fence.get();
    last.get();
}

TEST_CASE("the first answer after a publication finds its way into the event table") {
    Running running;
    running.start();
    running.begin();
    REQUIRE(running.put(spec("i-1")));
    running.clock.advance(3ms);
    const WallTime answered = running.clock.wall();
    running.served("web.example.org", wire::RrType::A)->mark()->answered(answered, 5);
    running.clock.advance(1s);
    REQUIRE(running.put(spec("i-2", 2)));  // whose transaction takes it along
    const auto events = running.events();
    REQUIRE(events.size() == 4);
    CHECK(events[2].times.first_answered == answered);
    CHECK(events[2].times.published);
    CHECK_FALSE(events[3].times.first_answered);
}

TEST_CASE("time alone moves answers: the last known good grows too old") {
    Running running;
    running.start();
    ToldChecker checker;
    running.registry->attach(&checker);
    running.begin(model::CheckType::Tcp, [](model::ServiceSpec& web) {
        web.failure_policy = model::FailurePolicy::LastKnownGood;
        web.max_age = 300s;
    });
    REQUIRE(running.put(spec("i-1")));
    const auto watch = checker.all().begin()->first;
    for (const auto status : {health::Status::Healthy, health::Status::Unhealthy}) {
        running.registry->transitions({{watch, status, running.clock.wall(), {}}});
        running.wake();
    }
    CHECK(running.served("web.example.org", wire::RrType::A));
    running.clock.advance(301s);
    running.wake();
    CHECK_FALSE(running.served("web.example.org", wire::RrType::A));
    CHECK(running.events().back().cause == "policy");
    running.registry->attach(nullptr);
}

TEST_CASE("many clients and many readers: each acknowledged change is seen by who asks next") {
    Running running;
    running.start();
    running.begin();
    constexpr int clients = 4, changes = 50;
    std::atomic<int> missed{0};
    std::vector<std::jthread> threads;
    for (int client = 0; client < clients; ++client) {
        threads.emplace_back([&, client] {
            for (int i = 0; i < changes; ++i) {
                const std::string id = std::to_string(client) + "-" + std::to_string(i);
                std::promise<void> done;
                running.registry->submit(
                    Change{.what = PutInstance{"example.org", "web",
                                               spec(id, static_cast<std::uint8_t>(i))},
                           .if_match = {}},
                    [&](Outcome) { done.set_value(); });
                done.get_future().wait();
                const auto zones = running.registry->zones().load();
                const auto zone = zones->find_apex(*wire::Name::parse("example.org"));
                if (!zone->find(*wire::Name::parse(id + ".web.example.org"))) ++missed;
                const auto state = running.registry->state().load();
                if (!state->find_service("example.org", "web")->find(id)) ++missed;
                (void)running.registry->metrics();
            }
        });
    }
    threads.clear();
    CHECK(missed == 0);
}
