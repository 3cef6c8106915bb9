// Registrations acknowledged per second with 1, 16 and 256 clients: durable, beside the same HTTP
// front without a store, and beside a bare SQLite loop that commits the same rows in groups of as
// many as there are clients. One run, interleaved.
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/io/tcp.h"
#include "dnsd/api/server.h"
#include "tests/bench/machine.h"

namespace {

using namespace dnsd;
using Clock = std::chrono::steady_clock;

constexpr auto measured = std::chrono::seconds(3);
constexpr int rounds = 3;

// A registry that acknowledges at once and keeps nothing but one state for the reply to show.
class NoStore final : public registry::Registry {
  public:
    NoStore() : zones_(std::make_shared<const tree::ZoneSet>()), state_(made()) {}
    void submit(registry::Change, std::move_only_function<void(registry::Outcome)> done) override {
        registry::Applied applied;
        applied.revision = 3;
        applied.state = state_.load();
        done(std::move(applied));
    }
    void attach(health::Checker*) override {}
    void transitions(std::vector<health::Transition>) override {}
    void on_published(std::function<void(const registry::Published&)>) override {}
    void set_followers(std::size_t) override {}
    std::string identity() const override { return "bench"; }
    const Snapshot<tree::ZoneSet>& zones() const noexcept override { return zones_; }
    const Snapshot<registry::State>& state() const noexcept override { return state_; }
    Result<> check_writable() override { return {}; }
    std::vector<Metric> metrics() const override { return {}; }

  private:
    static std::shared_ptr<const registry::State> made() {
        auto service = std::make_shared<registry::Service>();
        service->spec.namespace_name = "example.org";
        service->spec.name = "web";
        auto within = std::make_shared<registry::Namespace>();
        within->spec.name = "example.org";
        auto instance = std::make_shared<model::Instance>();
        instance->spec.id = "same";
        instance->spec.ipv4 = Ipv4{{192, 0, 2, 1}};
        service->instances.push_back(std::move(instance));
        within->services.set("web", std::move(service));
        auto state = std::make_shared<registry::State>();
        state->namespaces.set("example.org", std::move(within));
        return state;
    }
    Snapshot<tree::ZoneSet> zones_;
    Snapshot<registry::State> state_;
};

// N connections, each with one PUT after the other; counts what is answered 2xx. A process of its
// own, so that its CPU is not the server's.
void load(const SocketAddress& server, int clients, bool same_id, std::uint64_t run,
          std::uint64_t& acknowledged) {
    struct Client {
        int descriptor;
        std::string received;
        std::uint64_t count = 0;
    };
    std::vector<Client> all;
    const int epoll = epoll_create1(0);
    sockaddr_storage to{};
    const socklen_t size = server.to(to);
    const auto ask = [&](Client& client, std::size_t index) {
        const std::string id =
            same_id ? "same" : "r" + std::to_string(run) + "-" + std::to_string(index);
        // A port that differs each time: an upsert that changes nothing would commit nothing.
        const std::string body =
            R"({"ipv4":"192.0.2.1","port":)" + std::to_string(1 + client.count++ % 60'000) + "}";
        const std::string request =
            "PUT /v1/namespaces/example.org/services/web/instances/" + id +
            " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body;
        if (send(client.descriptor, request.data(), request.size(), MSG_NOSIGNAL) < 0) _exit(1);
    };
    for (int i = 0; i < clients; ++i) {
        const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(descriptor, reinterpret_cast<sockaddr*>(&to), size) != 0) _exit(1);
        all.push_back({descriptor, {}, 0});
        epoll_event event{EPOLLIN, {.u64 = static_cast<std::uint64_t>(i)}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
    }
    for (std::size_t i = 0; i < all.size(); ++i) ask(all[i], i);
    const auto end = Clock::now() + measured;
    std::vector<epoll_event> ready(256);
    char octets[16'384];
    while (Clock::now() < end) {
        const int count = epoll_wait(epoll, ready.data(), 256, 100);
        for (int i = 0; i < count; ++i) {
            const std::size_t index = ready[static_cast<std::size_t>(i)].data.u64;
            Client& client = all[index];
            const ssize_t got = recv(client.descriptor, octets, sizeof octets, 0);
            if (got <= 0) _exit(1);
            client.received.append(octets, static_cast<std::size_t>(got));
            const auto head = client.received.find("\r\n\r\n");
            if (head == std::string::npos) continue;
            const auto length = client.received.find("Content-Length: ");
            const auto body = std::strtoul(client.received.c_str() + length + 16, nullptr, 10);
            if (client.received.size() < head + 4 + body) continue;
            if (client.received[9] != '2') {
                std::fprintf(stderr, "%s\n", client.received.c_str());
                _exit(1);
            }
            ++acknowledged;
            client.received.clear();
            ask(client, index);
        }
    }
    _exit(0);
}

double measure_front(registry::Registry& registry, const std::string& store_path, int clients,
                     bool same_id) {
    static std::uint64_t run = 0;
    auto events = store::EventReader::open(store_path);
    auto server = api::Server::open({.listen = {{Ipv4{{127, 0, 0, 1}}, 0}}, .tokens_file = ""},
                                    {.registry = registry,
                                     .events = std::move(*events),
                                     .defaults = model::fast_defaults(),
                                     .forwarding = {},
                                     .following = {},
                                     .metrics = {},
                                     .dns_addresses = {},
                                     .version = "bench"},
                                    machine_clock());
    if (!server) std::abort();
    auto* acknowledged = static_cast<std::uint64_t*>(mmap(
        nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    const SocketAddress address = (*server)->addresses()[0];
    (*server)->start();
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        load(address, clients, same_id, run, *acknowledged);
    }
    ++run;
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) std::abort();
    return static_cast<double>(*acknowledged) / std::chrono::duration<double>(measured).count();
}

// The rows that one registration writes, `clients` registrations a transaction.
double measure_bare(const std::string& path, int clients) {
    auto store =
        store::Store::open({.path = path, .synchronous_full = true, .events_keep = 100'000});
    if (!store) std::abort();
    store::NamespaceRow within;
    within.spec.name = "example.org";
    store::ServiceRow service;
    service.spec.namespace_name = "example.org";
    service.spec.name = "web";
    store::InstanceRow instance{"example.org", "web", {}};
    instance.instance.spec.ipv4 = Ipv4{{192, 0, 2, 1}};
    model::Event event;
    event.cause = "registered";
    event.namespace_name = "example.org";
    event.service = "web";
    event.dns_names = {"web.example.org", "_web._tcp.example.org", "i.web.example.org"};
    const auto must = [](const Result<>& done) {
        if (!done) std::abort();
    };
    std::uint64_t committed = 0, revision = 0;
    const auto end = Clock::now() + measured;
    while (Clock::now() < end) {
        must((*store)->begin());
        ++within.serial;
        must((*store)->save(within));
        must((*store)->save(service));
        for (int i = 0; i < clients; ++i) {
            instance.instance.spec.id = "r-" + std::to_string(i);
            instance.instance.spec.port = static_cast<std::uint16_t>(1 + revision % 60'000);
            must((*store)->save(instance));
            event.revision = ++revision;
            event.instances = {{instance.instance.spec.id, "unknown", "unknown"}};
            must((*store)->append(event));
        }
        must((*store)->set_revision(revision));
        must((*store)->commit());
        committed += static_cast<std::uint64_t>(clients);
    }
    return static_cast<double>(committed) / std::chrono::duration<double>(measured).count();
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    std::string folder =
        (argc > 1 ? std::string(argv[1]) : std::string("/var/tmp")) + "/bench-XXXXXX";
    if (!mkdtemp(folder.data())) return 1;
    test::print_machine();
    std::printf(
        "registrations acknowledged per second, synchronous=FULL in %s, median of %d rounds\n",
        folder.c_str(), rounds);
    std::printf("%8s %12s %14s %14s %18s\n", "clients", "dnsd", "front alone", "bare SQLite",
                "dnsd/lower of both");
    for (const int clients : {1, 16, 256}) {
        std::vector<double> durable, front, bare;
        for (int round = 0; round < rounds; ++round) {
            const std::string base =
                folder + "/" + std::to_string(clients) + "-" + std::to_string(round);
            auto store = store::Store::open(
                {.path = base + ".db", .synchronous_full = true, .events_keep = 100'000});
            auto registry = registry::Registry::open({}, std::move(*store), machine_clock());
            for (auto& what : std::vector<registry::Change>{
                     {.what = registry::PutNamespace{{.name = "example.org", .description = {}}},
                      .if_match = {}},
                     {.what =
                          registry::PutService{{.namespace_name = "example.org", .name = "web"}},
                      .if_match = {}}})
                (*registry)->submit(std::move(what), [](registry::Outcome) {});
            durable.push_back(measure_front(**registry, base + ".db", clients, false));
            NoStore none;
            front.push_back(measure_front(none, base + ".db", clients, true));
            bare.push_back(measure_bare(base + "-bare.db", clients));
        }
        std::printf("%8d %12.0f %14.0f %14.0f %18.2f\n", clients, median(durable), median(front),
                    median(bare), median(durable) / std::min(median(front), median(bare)));
    }
    std::filesystem::remove_all(folder);
}
