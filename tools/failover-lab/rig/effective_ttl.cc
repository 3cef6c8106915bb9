// How long each cache really keeps an answer: it is asked for names whose authority puts its clock
// into the address, so every answer tells its own age.
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/io/loop.h"
#include "base/io/tcp.h"
#include "base/text.h"
#include "tools/failover-lab/model/measured.h"
#include "tools/failover-lab/rig/clock_server.h"
#include "tools/failover-lab/rig/order.h"
#include "tools/failover-lab/rig/sources.h"
#include "tools/failover-lab/rig/versions.h"
#include "tools/failover-lab/rig/ways/caches.h"
#include "zone/wire/message.h"

namespace dnsd::lab {
namespace {

constexpr int phases = 8;  // of the first fetch within the wall clock's second

// What is measured, a row each.
struct Subject {
    enum class Via {
        Server,     // is asked over DNS, on at::cache
        Program,    // is what programs with the stub `stub` see
        InProcess,  // is the lab's own cache
    };
    std::string_view name, title;
    std::string_view package;  // empty: ours
    Result<> (*start)(Scene&);
    Via via;
    std::string_view stub = {};
    double keeps = 0;       // so many seconds whatever the TTL; 0: the TTL
    double late_max = 1.2;  // how much longer it may keep it
    // A cache that looks for lapsed answers of its own accord at most this often: names are fetched
    // all over that time, and not asked for closely, since their new answers say when they came.
    double sweep = 0;
};

constexpr Subject subjects[] = {
    {"forwarder", "dnsd as forwarder", "", start_forwarder, Subject::Via::Server},
    {"unbound", "unbound", "unbound", start_unbound, Subject::Via::Server},
    {"dnsmasq", "dnsmasq", "dnsmasq-base", start_dnsmasq, Subject::Via::Server},
    {"resolved", "systemd-resolved", "systemd-resolved", start_resolved, Subject::Via::Server},
    {"bind", "BIND", "bind9", start_bind, Subject::Via::Server},
    {"nscd", "nscd", "nscd", start_nscd_alone, Subject::Via::Program, "glibc", 0, 15.5, 15},
    {"cache", "in-process cache", "", nullptr, Subject::Via::InProcess},
    {"jvm", "OpenJDK 17", "openjdk-17-jre-headless", nullptr, Subject::Via::Program, "jvm", 30,
     0.3},
    {"node", "Node.js", "nodejs", nullptr, Subject::Via::Program, "node"},
    {"glibc", "glibc", "libc6", nullptr, Subject::Via::Program, "glibc"},
    {"cares", "c-ares", "libc-ares2", nullptr, Subject::Via::Program, "cares"},
};

double wall_now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// Asks the subject. Belongs to its loop's thread.
class Asker {
  public:
    using Done = std::function<void(std::optional<Ipv4>)>;  // nothing: no address
    virtual ~Asker() = default;
    // `done` is called once, or never.
    virtual void ask(const std::string& name, Done done) = 0;
};

class ServerAsker final : public Asker {
  public:
    static Result<std::unique_ptr<Asker>> make(io::Loop& loop, std::string_view server) {
        io::Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        sockaddr_storage storage;
        const auto octets = SocketAddress::parse(fmt::format("{}:53", server))->to(storage);
        if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&storage), octets) != 0) {
            return fail(fmt::format("connect to {}: {}", server, std::strerror(errno)));
        }
        return std::unique_ptr<Asker>(new ServerAsker(loop, std::move(socket)));
    }

    void ask(const std::string& name, Done done) override {
        const auto qname = wire::Name::parse(name);
        if (!qname) return;
        const std::uint16_t id = next_id_++;
        asked_[id] = std::move(done);
        const auto query = wire::encode_query(id, {*qname, wire::RrType::A, wire::RrClass::IN},
                                              1232, {.recursion_desired = true});
        // A datagram that is lost, here too, is asked for again.
        static_cast<void>(::send(socket_.number(), query.data(), query.size(), 0));
    }

  private:
    ServerAsker(io::Loop& loop, io::Descriptor socket)
        : socket_(std::move(socket)),
          poll_(loop, socket_.number(), [this](unsigned) { receive(); }) {
        poll_.watch(io::Poll::Readable);
    }

    void receive() {
        std::array<std::uint8_t, 4096> octets;
        for (;;) {
            const auto got = ::recv(socket_.number(), octets.data(), octets.size(), 0);
            if (got <= 0) return;
            const auto message =
                wire::decode_message({octets.data(), static_cast<std::size_t>(got)});
            if (!message) continue;
            auto found = asked_.extract(message->id);
            if (!found.empty()) found.mapped()(address_in(*message));
        }
    }

    static std::optional<Ipv4> address_in(const wire::Message& message) {
        for (const wire::Record& record : message.records) {
            if (record.section != wire::Section::Answer || record.type != wire::RrType::A) continue;
            Ipv4 address;
            if (record.rdata.size() != address.octets.size()) continue;
            std::ranges::copy(record.rdata, address.octets.begin());
            return address;
        }
        return std::nullopt;
    }

    io::Descriptor socket_;
    io::Poll poll_;
    std::uint16_t next_id_ = 1;
    std::map<std::uint16_t, Done> asked_;
};

// Talks to one program about all names; sources.h says how.
class ProgramAsker final : public Asker {
  public:
    // REQUIRES: `child` has pipes, and outlives it.
    ProgramAsker(io::Loop& loop, Child& child)
        : child_(child), poll_(loop, child.output(), [this](unsigned) { receive(); }) {
        poll_.watch(io::Poll::Readable);
    }

    void ask(const std::string& name, Done done) override {
        asked_[++last_id_] = std::move(done);
        // If it does not listen any more, there will be no answers, and that is what is reported.
        static_cast<void>(child_.tell(fmt::format("{} {}", last_id_, name)));
    }

  private:
    void receive() {
        std::array<char, 4096> octets;
        const auto got = ::read(child_.output(), octets.data(), octets.size());
        if (got <= 0) return poll_.watch(0);
        text_.append(octets.data(), static_cast<std::size_t>(got));
        std::size_t begin = 0;
        for (std::size_t end; (end = text_.find('\n', begin)) != std::string::npos;
             begin = end + 1) {
            take(split(std::string_view(text_).substr(begin, end - begin), ' '));
        }
        text_.erase(0, begin);
    }

    void take(const std::vector<std::string_view>& words) {
        const auto id = words.empty() ? std::nullopt : parse_unsigned(words[0]);
        if (!id) return;
        auto found = asked_.extract(*id);
        if (found.empty()) return;
        const bool has_address = words.size() > 2 && words[1] == "ok";
        found.mapped()(has_address ? parse_ipv4(words[2]) : std::nullopt);
    }

    Child& child_;
    io::Poll poll_;
    std::string text_;
    std::uint64_t last_id_ = 0;
    std::map<std::uint64_t, Done> asked_;
};

class InProcessAsker final : public Asker {
  public:
    explicit InProcessAsker(io::Loop& loop) : loop_(loop) {}

    void ask(const std::string& name, Done done) override {
        auto& cache = caches_[name];
        if (!cache) {
            const auto server = SocketAddress::parse(fmt::format("{}:53", at::dnsd));
            cache = ttl_cache(loop_, *server, name, at::instance_port);
        }
        cache->resolve([done = std::move(done)](const Addresses& found) {
            const Ipv4* address =
                found.list.empty() ? nullptr : std::get_if<Ipv4>(&found.list.front().ip);
            done(address != nullptr ? std::optional(*address) : std::nullopt);
        });
    }

  private:
    io::Loop& loop_;
    std::map<std::string, std::unique_ptr<AddressSource>> caches_;
};

// When a name of one TTL is asked for, in seconds of its answer's age.
struct Watch {
    double ttl = 0;
    double dense_from = 0, gap = 0;  // from that age on it is asked for so often
    double life_max = 0;
    int replacements = 1;  // to be seen
    double start = 0;      // of the first name, after the measurement's
    double stagger = 0;    // of one name after another

    double busy_from() const noexcept { return start + dense_from; }
    double end() const noexcept {
        return start + (phases - 1) * stagger + replacements * (life_max + 0.2);
    }
};

Watch watch_of(const Subject& subject, int ttl) {
    Watch watch;
    watch.ttl = ttl;
    const double life = subject.keeps > 0 ? subject.keeps : ttl;
    watch.life_max = life + subject.late_max;
    watch.stagger = 1.0 / phases;
    // What is asked for is known to 20 ms: half of the gap either way, and room for a busy machine.
    watch.gap = 0.016;
    if (subject.sweep > 0) {
        watch.gap = 0.1;
        watch.dense_from = std::max(0.0, life - 0.5);
        // An eighth of a second less than two seconds: eight phases of the second too.
        watch.stagger = subject.sweep / phases;
    } else if (subject.keeps > 0) {
        watch.dense_from = life - 0.2;
    } else if (ttl > 2) {
        // Many count in whole seconds, and some fetch long answers anew before their end: BIND in
        // the last 2 s of those of 9 s or more, dnsd in the last tenth.
        watch.dense_from = life - (ttl < 9 ? 1.4 : std::max(3.2, 0.1 * life + 0.2));
    } else {
        watch.replacements = 2;
    }
    return watch;
}

// Watches that ask closely do so one after another, for the machine's sake. The longest begins at
// once, and the others find their places before its end.
std::vector<Watch> planned(const Subject& subject, std::vector<int> ttls) {
    std::ranges::sort(ttls);
    if (!ttls.empty()) std::ranges::rotate(ttls, ttls.end() - 1);
    std::vector<Watch> watches;
    for (const int ttl : ttls) {
        Watch watch = watch_of(subject, ttl);
        const auto collides = [&](const Watch& other) {
            return watch.busy_from() < other.end() && other.busy_from() < watch.end();
        };
        while (subject.sweep == 0 && std::ranges::any_of(watches, collides))
            watch.start += 1.0 / phases;
        watches.push_back(watch);
    }
    return watches;
}

// One name: from its first fetch to its last replacement that is wanted. Belongs to its loop's
// thread.
class Track {
  public:
    Track(io::Loop& loop, Asker& asker, const Watch& watch, std::string name,
          std::function<void(EffectiveTtls::Sample)> on_sample)
        : asker_(asker),
          watch_(watch),
          name_(std::move(name)),
          on_sample_(std::move(on_sample)),
          timer_(loop, [this] { ask(); }) {}

    void begin_at(double wall) { ask_in(wall - wall_now()); }
    bool is_done() const noexcept { return seen_ >= watch_.replacements; }

  private:
    void ask_in(double seconds) {
        timer_.start(Milliseconds(static_cast<long>(std::max(0.0, std::ceil(seconds * 1000)))));
    }

    void ask() {
        sent_ = wall_now();
        const int turn = ++turn_;
        timer_.start(Milliseconds(1000));  // silence: again
        asker_.ask(name_, [this, turn](std::optional<Ipv4> address) {
            if (turn == turn_ && address) take(*address);
        });
    }

    void take(const Ipv4& address) {
        const double now = wall_now();
        const auto time = time_of_address(address, static_cast<std::int64_t>(now * 1000));
        if (!time) return;
        const double fetched = static_cast<double>(*time) / 1000 + 0.0005;  // it was rounded down
        const bool is_new = fetched != fetched_;
        if (is_new) {
            if (fetched_ != 0) note_replacement(fetched);
            if (is_done()) return timer_.stop();
            fetched_ = fetched;
        }
        handed_out_ = now;
        // At once, to see whether it keeps it at all; now and then, in case it does not keep it for
        // as long as is thought.
        const double until_dense = fetched + watch_.dense_from - now;
        ask_in(is_new ? 0.001 : until_dense <= 0 ? watch_.gap : std::min(until_dense, 0.5));
    }

    void note_replacement(double fetched) {
        // An answer that is younger than our question was fetched for it: the old one ended
        // somewhere between. An older one replaced it when it came.
        const bool for_us = fetched >= sent_ - 0.002;
        const double to = std::max(fetched, handed_out_);
        const double from = for_us ? handed_out_ : to;
        if (to - from > 0.04)
            return;  // not seen to 20 ms: the machine was busy, or we were not there
        ++seen_;
        on_sample_({.cache = {},
                    .ttl = watch_.ttl,
                    .phase = fetched_ - std::floor(fetched_),
                    .age = std::max(0.0, (from + to) / 2 - fetched_)});
    }

    Asker& asker_;
    const Watch& watch_;
    std::string name_;
    std::function<void(EffectiveTtls::Sample)> on_sample_;
    io::Timer timer_;
    int turn_ = 0, seen_ = 0;
    double sent_ = 0, fetched_ = 0, handed_out_ = 0;
};

Result<std::unique_ptr<Asker>> make_asker(Scene& scene, io::Loop& loop, const Subject& subject) {
    if (subject.via == Subject::Via::Server) return ServerAsker::make(loop, at::cache);
    if (subject.via == Subject::Via::InProcess) return std::make_unique<InProcessAsker>(loop);
    auto command = stub_command(subject.stub, scene.equipment());
    if (!command) return std::unexpected(command.error());
    ChildOptions options;
    options.pipes = true;
    auto child = scene.spawn("stub", "client", std::move(*command), options);
    if (!child) return std::unexpected(child.error());
    return std::make_unique<ProgramAsker>(loop, **child);
}

// A runtime needs its time until it answers for the first time.
Result<> wait_for_answer(io::Loop& loop, Asker& asker) {
    // Shared: answers to repeated questions may come when nobody waits any more.
    const auto answered = std::make_shared<bool>(false);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(15);
    int turn = 0;
    io::Timer timer(loop, [&] {
        if (*answered || std::chrono::steady_clock::now() > deadline) return loop.stop();
        if (turn++ % 50 != 0) return;
        asker.ask(fmt::format("{}.{}", at::service, at::zone),
                  [answered](std::optional<Ipv4> address) { *answered |= address.has_value(); });
    });
    timer.repeat(Milliseconds(10));
    loop.run();
    if (!*answered) return fail("it gave no address of a name that has one");
    return {};
}

std::vector<EffectiveTtls::Sample> watch_all(io::Loop& loop, Asker& asker, const Subject& subject,
                                             const std::vector<int>& ttls) {
    std::vector<EffectiveTtls::Sample> samples;
    const std::vector<Watch> watches = planned(subject, ttls);
    std::vector<std::unique_ptr<Track>> tracks;
    const double begin = std::ceil(wall_now() + 0.2);
    double end = begin;
    for (const Watch& watch : watches) {
        end = std::max(end, begin + watch.end());
        for (int k = 0; k < phases; ++k) {
            const std::string name = fmt::format("t{}-p{}.{}", watch.ttl, k, at::zone);
            tracks.push_back(std::make_unique<Track>(
                loop, asker, watch, name, [&](EffectiveTtls::Sample sample) {
                    sample.cache = subject.name;
                    samples.push_back(std::move(sample));
                    if (std::ranges::all_of(tracks, [](auto& one) { return one->is_done(); })) {
                        loop.stop();
                    }
                }));
            // Off the whole second, where it would be chance in which one the cache fetches.
            tracks.back()->begin_at(begin + watch.start + k * watch.stagger + 0.5 / phases);
        }
    }
    io::Timer deadline(loop, [&] { loop.stop(); });
    deadline.start(Milliseconds(static_cast<long>((end + 1 - wall_now()) * 1000)));
    loop.run();
    return samples;
}

Result<> measure(const Order& order, const Subject& subject, EffectiveTtlRecord& record) {
    auto scene = Scene::make(order.setting, order.equipment, order.folder);
    if (!scene) return std::unexpected(scene.error());
    if (!subject.package.empty()) record.version = version_of(**scene, subject.package);
    auto server = ClockServer::start();
    if (!server) return std::unexpected(server.error());
    if (subject.start != nullptr) {
        if (auto started = subject.start(**scene); !started) return started;
    }
    io::Loop loop;
    auto asker = make_asker(**scene, loop, subject);
    if (!asker) return std::unexpected(asker.error());
    if (auto waited = wait_for_answer(loop, **asker); !waited) return waited;
    record.samples = watch_all(loop, **asker, subject, order.ttls);
    if (record.samples.empty()) return fail("no answer of it was seen to be replaced");
    return {};
}

Result<> leave(const Order& order, const EffectiveTtlRecord& record) {
    const std::string path = order.folder + "/effective_ttl.json", unfinished = path + ".new";
    std::ofstream file(unfinished, std::ios::trunc);
    file << to_json(record).dump() << std::flush;
    std::error_code problem;
    if (file) std::filesystem::rename(unfinished, path, problem);
    if (!file || problem) return fail(path + " cannot be written");
    return {};
}

}  // namespace

Result<> measure_effective_ttl(const Order& order) {
    const auto* subject = std::ranges::find(subjects, order.cache, &Subject::name);
    if (subject == std::end(subjects)) {
        return fail(fmt::format("no cache is called {}: its effective TTL cannot be measured",
                                order.cache));
    }
    EffectiveTtlRecord record;
    record.cache = subject->name;
    record.title = subject->title;
    if (auto measured = measure(order, *subject, record); !measured) {
        record.problem = measured.error().message;
    }
    return leave(order, record);
}

}  // namespace dnsd::lab
