#include "tools/failover-lab/rig/sources.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "base/http/client.h"
#include "base/io/tcp.h"
#include "base/text.h"
#include "zone/wire/response.h"

namespace dnsd::lab {
namespace {

// Time of the last fetch, written by the loop's thread and read by any.
class LastFetch {
  public:
    void set(SteadyTime when) noexcept { nanoseconds_ = when.time_since_epoch().count(); }
    std::optional<SteadyTime> get() const noexcept {
        const std::int64_t value = nanoseconds_;
        if (value == 0) return std::nullopt;
        return SteadyTime(std::chrono::nanoseconds(value));
    }

  private:
    std::atomic<std::int64_t> nanoseconds_ = 0;
};

class Fixed : public AddressSource {
  public:
    explicit Fixed(SocketAddress address) : addresses_{true, {address}} {}
    void resolve(Done done) override { done(addresses_); }

  private:
    Addresses addresses_;
};

class TtlCache : public AddressSource {
  public:
    TtlCache(io::Loop& loop, SocketAddress server, std::string name, std::uint16_t port)
        : port_(port),
          name_(wire::Name::parse(name).value_or(wire::Name())),
          socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
          poll_(loop, socket_.number(), [this](unsigned) { receive(); }),
          patience_(loop, [this] { ask_again(); }) {
        sockaddr_storage storage;
        const auto octets = server.to(storage);
        // UDP: this only names the peer.
        (void)::connect(socket_.number(), reinterpret_cast<const sockaddr*>(&storage), octets);
        poll_.watch(io::Poll::Readable);
    }

    void resolve(Done done) override {
        if (machine_clock().steady() < ends_) return done(kept_);
        waiting_.push_back(std::move(done));
        if (tries_ == 0) ask();
    }

    std::optional<SteadyTime> last_fetch() const override { return fetched_.get(); }

  private:
    static constexpr int tries_max = 2;

    void ask() {
        ++tries_;
        id_ = static_cast<std::uint16_t>(dice_());
        const auto query = wire::encode_query(id_, {name_, wire::RrType::A, wire::RrClass::IN},
                                              1232, {.recursion_desired = true});
        (void)::send(socket_.number(), query.data(), query.size(), 0);
        patience_.start(Milliseconds(1000));
    }

    void ask_again() {
        if (tries_ < tries_max) return ask();
        finish({});
    }

    void receive() {
        std::array<std::uint8_t, 4096> octets;
        const auto got = ::recv(socket_.number(), octets.data(), octets.size(), 0);
        if (got < 0 && errno == ECONNREFUSED) {
            // Nobody listens there, and the kernel says so: the loop lets go of a socket with an
            // error.
            poll_.watch(io::Poll::Readable);
            return tries_ > 0 ? ask_again() : void();
        }
        if (got < 12) return;
        const std::span<const std::uint8_t> message{octets.data(), static_cast<std::size_t>(got)};
        if (tries_ == 0 || (message[0] << 8 | message[1]) != id_) return;
        const auto response =
            wire::Response::decode(message, {{name_, wire::RrType::A, wire::RrClass::IN}});
        const bool useful = response && (response->rcode() == wire::Rcode::NoError ||
                                         response->rcode() == wire::Rcode::NxDomain);
        if (!useful) return finish({});
        Addresses addresses{true, {}};
        wire::Response::Records records(*response);
        for (wire::Response::View view; records.next(view);) {
            if (view.section != wire::Section::Answer || view.type != wire::RrType::A) continue;
            Ipv4 address;
            std::ranges::copy(view.rdata, address.octets.begin());
            addresses.list.push_back({address, port_});
        }
        kept_ = addresses;
        const SteadyTime now = machine_clock().steady();
        ends_ = now + std::chrono::seconds(response->lifetime());
        fetched_.set(now);
        finish(addresses);
    }

    void finish(const Addresses& addresses) {
        patience_.stop();
        tries_ = 0;
        for (const Done& done : std::exchange(waiting_, {})) done(addresses);
    }

    std::uint16_t port_;
    wire::Name name_;
    io::Descriptor socket_;
    std::mt19937 dice_{std::random_device{}()};
    std::uint16_t id_ = 0;
    int tries_ = 0;  // of the question under way; 0: there is none
    Addresses kept_;
    SteadyTime ends_{};
    LastFetch fetched_;
    std::vector<Done> waiting_;
    io::Poll poll_;
    io::Timer patience_;
};

class ProgramSource : public AddressSource {
  public:
    ProgramSource(io::Loop& loop, Child& child, std::string name, std::uint16_t port)
        : child_(child),
          name_(std::move(name)),
          port_(port),
          poll_(loop, child.output(), [this](unsigned) { read(); }) {
        poll_.watch(io::Poll::Readable);
    }

    void resolve(Done done) override {
        const std::uint64_t number = ++last_;
        if (!child_.tell(fmt::format("{} {}", number, name_))) return done({});
        waiting_[number] = std::move(done);
    }

  private:
    void read() {
        std::array<char, 65536> octets;
        const auto got = ::read(child_.output(), octets.data(), octets.size());
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
            poll_.watch(0);
            for (auto& [_, done] : std::exchange(waiting_, {})) done({});
            return;
        }
        pending_.append(octets.data(), static_cast<std::size_t>(got));
        for (std::size_t end; (end = pending_.find('\n')) != std::string::npos;) {
            const std::string line = pending_.substr(0, end);
            pending_.erase(0, end + 1);
            take(line);
        }
    }

    void take(std::string_view line) {
        const auto words = split(line, ' ');
        const auto number = parse_unsigned(words[0]);
        if (!number || words.size() < 2) return;
        const auto found = waiting_.find(*number);
        if (found == waiting_.end()) return;
        const Done done = std::move(found->second);
        waiting_.erase(found);
        Addresses addresses{words[1] == "ok", {}};
        for (std::size_t n = 2; addresses.answered && n < words.size(); ++n) {
            if (const auto ip = parse_ipv4(words[n])) addresses.list.push_back({*ip, port_});
        }
        done(addresses);
    }

    Child& child_;
    std::string name_;
    std::uint16_t port_;
    std::uint64_t last_ = 0;
    std::map<std::uint64_t, Done> waiting_;
    std::string pending_;
    io::Poll poll_;
};

class ApiPoller : public AddressSource {
  public:
    ApiPoller(io::Loop& loop, double interval, std::string service)
        : interval_(static_cast<int>(interval * 1000)),
          service_(std::move(service)),
          client_(loop),
          timer_(loop, [this] { ask(); }) {
        ask();
    }

    void resolve(Done done) override { done(kept_); }
    std::optional<SteadyTime> last_fetch() const override { return fetched_.get(); }

  private:
    void ask() {
        http::Request request;
        request.url = fmt::format("http://{}/v1/namespaces/{}/services/{}/instances?status=healthy",
                                  at::api, at::zone, service_);
        request.timeout = Milliseconds(1000);
        // Replies are as quick as the API is: this is when it was asked, too.
        client_.send(std::move(request), [this](const Result<http::Response>& reply) {
            if (reply && reply->status == 200) take(reply->body);
            // From now, and not from when it was made: the loop may have begun much later.
            timer_.start(interval_);
        });
    }

    void take(const std::string& body) {
        const auto json = nlohmann::json::parse(body, nullptr, false);
        const auto instances = json.is_object() ? json.find("instances") : json.end();
        if (instances == json.end() || !instances->is_array()) return;
        Addresses addresses{true, {}};
        for (const auto& instance : *instances) {
            const auto ip = parse_ipv4(instance.value("ipv4", ""));
            const int port = instance.value("port", 0);
            if (ip && port > 0) addresses.list.push_back({*ip, static_cast<std::uint16_t>(port)});
        }
        kept_ = std::move(addresses);
        fetched_.set(machine_clock().steady());
    }

    Milliseconds interval_;
    std::string service_;
    Addresses kept_;
    LastFetch fetched_;
    http::Client client_;
    io::Timer timer_;
};

}  // namespace

std::unique_ptr<AddressSource> fixed_source(SocketAddress address) {
    return std::make_unique<Fixed>(address);
}

std::unique_ptr<AddressSource> ttl_cache(io::Loop& loop, SocketAddress server, std::string name,
                                         std::uint16_t port) {
    return std::make_unique<TtlCache>(loop, server, std::move(name), port);
}

std::unique_ptr<AddressSource> program_source(io::Loop& loop, Child& child, std::string name,
                                              std::uint16_t port) {
    return std::make_unique<ProgramSource>(loop, child, std::move(name), port);
}

std::unique_ptr<AddressSource> api_poller(io::Loop& loop, double interval, std::string service) {
    return std::make_unique<ApiPoller>(loop, interval, std::move(service));
}

Result<std::vector<std::string>> stub_command(std::string_view stub, const Equipment& equipment) {
    if (stub == "glibc" || stub == "cares") {
        return std::vector<std::string>{equipment.self, "resolve", std::string(stub)};
    }
    if (stub == "node") {
        return std::vector<std::string>{"/usr/bin/node", equipment.runtimes + "/lookup.js"};
    }
    if (stub == "jvm") {
        // What makes it start sooner; nothing of it is about names.
        std::vector<std::string> command{"/usr/bin/java", "-XX:TieredStopAtLevel=1",
                                         "-XX:+UseSerialGC", "-Xmx64m"};
        if (equipment.classes.empty()) {
            command.push_back(equipment.runtimes + "/Lookup.java");
        } else {
            command.insert(command.end(), {"-cp", equipment.classes, "Lookup"});
        }
        return command;
    }
    return fail(fmt::format("there is no program for the stub '{}'", stub));
}

}  // namespace dnsd::lab
