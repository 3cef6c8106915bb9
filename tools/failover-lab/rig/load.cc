#include "tools/failover-lab/rig/load.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>

#include "tools/failover-lab/rig/service.h"
#include "tools/failover-lab/rig/ways.h"

namespace dnsd::lab {
namespace {

bool is_central(const Setting& setting) { return setting.topology == "central"; }

// How often a client may ask for an instance to be probed: dnsd takes ten a second of each.
constexpr Milliseconds between_reconfirms{100};

// Runtimes take a second to begin: it answers once before anybody waits for it. The name is in
// /etc/hosts, so that nothing is asked that a cache could keep.
Result<> warm_up(Scene& scene, Child& child) {
    if (auto told = child.tell("0 localhost"); !told) return told;
    return scene.wait_until(
        child.name() + " resolves",
        [&] {
            pollfd watched{child.output(), POLLIN, 0};
            std::array<char, 256> line;
            return ::poll(&watched, 1, 0) > 0 &&
                   ::read(child.output(), line.data(), line.size()) > 0;
        },
        30);
}

}  // namespace

Result<std::unique_ptr<AddressSource>> make_source(Scene& scene, io::Loop& loop, int client) {
    const Setting& setting = scene.setting();
    const std::string name = asked_name(setting);
    const std::string_view stub = stub_of(setting);
    if (find_way(setting.way)->family == Family::Proxy) {
        const auto ip = parse_ipv4(at::proxy(is_central(setting) ? 0 : client));
        return fixed_source({*ip, at::proxy_port});
    }
    if (stub == "poller") {
        const Clocks clocks = find_way(setting.way)->clocks(setting);
        return api_poller(loop, clocks.views.front().period, asked_service(setting));
    }
    if (stub == "cache") {
        return ttl_cache(loop, *SocketAddress::parse(fmt::format("{}:53", scene.resolver())), name,
                         at::instance_port);
    }
    auto command = stub_command(stub, scene.equipment());
    if (!command) return std::unexpected(command.error());
    auto child = scene.spawn(fmt::format("stub-{}", client + 1), "client", std::move(*command),
                             {.environment = {}, .pipes = true, .directory = ""});
    if (!child) return std::unexpected(child.error());
    if (auto warm = warm_up(scene, **child); !warm) return std::unexpected(warm.error());
    return program_source(loop, **child, name, at::instance_port);
}

Result<std::unique_ptr<Load>> Load::make(Scene& scene, std::uint64_t seed) {
    std::unique_ptr<Load> load(new Load(scene));
    const Setting& setting = scene.setting();
    std::vector<AddressSource*> sources;
    for (int client = 0; client < setting.clients; ++client) {
        auto source = make_source(scene, load->loop_, client);
        if (!source) return std::unexpected(source.error());
        sources.push_back(source->get());
        load->sources_.push_back(std::move(*source));
    }
    std::function<void(int)> on_dead;
    if (setting.reconfirm) on_dead = [raw = load.get()](int instance) { raw->reconfirm(instance); };
    load->generator_ =
        std::make_unique<Generator>(load->loop_, setting, sources, seed, std::move(on_dead));
    load->generator_->when_done([raw = load.get()] { raw->loop_.stop(); });
    return load;
}

Load::Load(Scene& scene) : scene_(scene), client_(std::make_unique<http::Client>(loop_)) {}

Load::~Load() {
    if (thread_.joinable()) {
        end_at(machine_clock().steady());
        thread_.join();
    }
}

void Load::start(SteadyTime zero) {
    generator_->start(zero);
    thread_ = std::thread([this] { loop_.run(); });
}

void Load::end_at(SteadyTime end) noexcept { generator_->end_at(end); }
void Load::join() { thread_.join(); }

void Load::reconfirm(int instance) {
    const SteadyTime now = machine_clock().steady();
    SteadyTime& last = reconfirmed_[instance];
    if (now - last < between_reconfirms) return;
    last = now;
    http::Request request;
    request.method = "POST";
    request.url = fmt::format("http://{}/v1/namespaces/{}/services/{}/instances/i-{}/reconfirm",
                              at::api, at::zone, asked_service(scene_.setting()), instance + 1);
    client_->send(std::move(request), [](const Result<http::Response>&) {});
}

bool Load::asks_dns() const noexcept {
    const Family family = find_way(scene_.setting().way)->family;
    return family == Family::Dns || family == Family::Push;
}

std::optional<SteadyTime> Load::last_fetch() const { return sources_.front()->last_fetch(); }

std::optional<SteadyTime> Load::last_offered(int instance) const noexcept {
    return generator_->last_offered(instance);
}

const std::vector<Request>& Load::log() const noexcept { return generator_->log(); }

}  // namespace dnsd::lab
