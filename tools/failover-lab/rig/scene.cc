#include "tools/failover-lab/rig/scene.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/http/client.h"
#include "base/io/tcp.h"
#include "tools/failover-lab/model/files.h"
#include "zone/wire/message.h"

namespace dnsd::lab {
namespace {

namespace fs = std::filesystem;

Result<> write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::trunc | std::ios::binary);
    file << text << std::flush;
    if (!file) return fail(fmt::format("{} cannot be written: {}", path, std::strerror(errno)));
    return {};
}

}  // namespace

std::string at::instance(int n) { return fmt::format("127.0.1.{}", n + 1); }
std::string at::proxy(int client) { return fmt::format("127.0.9.{}", client + 1); }

Scene::Scene(Setting setting, Equipment equipment, std::string folder)
    : setting_(std::move(setting)), equipment_(std::move(equipment)), folder_(std::move(folder)) {}

Scene::~Scene() = default;

Result<std::unique_ptr<Scene>> Scene::make(Setting setting, Equipment equipment,
                                           std::string folder) {
    std::unique_ptr<Scene> scene(
        new Scene(std::move(setting), std::move(equipment), std::move(folder)));
    // A link of its own for dnsd: where there is only loopback some software sees no network, and
    // systemd-resolved caches nothing that comes from there.
    for (const std::string command :
         {"link set lo up", "link add dnsd0 type veth peer name dnsd1", "link set dnsd0 up",
          "link set dnsd1 up", "address add 192.0.2.53/24 dev dnsd0",
          "address add 127.0.0.53/8 dev lo", "route add default via 192.0.2.1 dev dnsd0"}) {
        std::vector<std::string> words{"ip"};
        std::istringstream text(command);
        for (std::string word; text >> word;) words.push_back(word);
        if (auto done = scene->run(words); !done) return std::unexpected(done.error());
    }
    if (auto done = scene->own_folder("/run"); !done) return std::unexpected(done.error());
    if (auto done = scene->own_folder("/var/cache"); !done) return std::unexpected(done.error());
    for (const auto& [path, text] :
         {std::pair{"/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
          std::pair{"/etc/hosts", "127.0.0.1 localhost\n"}}) {
        if (auto done = scene->own_file(path, text); !done) return std::unexpected(done.error());
    }
    if (auto done = scene->resolve_at(at::dnsd); !done) return std::unexpected(done.error());
    return scene;
}

Result<> Scene::own_folder(const std::string& path) {
    std::error_code ignored;
    fs::create_directories(path, ignored);
    if (::mount("none", path.c_str(), "tmpfs", 0, "mode=755") != 0) {
        return fail(fmt::format("an empty {} cannot be mounted: {}", path, std::strerror(errno)));
    }
    return {};
}

Result<> Scene::own_file(const std::string& path, const std::string& text) {
    std::error_code problem;
    // Where the machine runs systemd-resolved, /etc/resolv.conf is a link into /run.
    std::string target = fs::weakly_canonical(path, problem).string();
    if (problem) target = path;
    if (!fs::exists(target)) {
        fs::create_directories(fs::path(target).parent_path(), problem);
        if (auto done = write_file(target, ""); !done) return done;
    }
    const std::string ours = folder_ + "/" + fs::path(target).filename().string();
    if (auto done = write_file(ours, text); !done) return done;
    if (::mount(ours.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) {
        return fail(fmt::format("our own {} cannot be mounted: {}", path, std::strerror(errno)));
    }
    return {};
}

Result<> Scene::write(const std::string& path, const std::string& text) {
    return write_file(path, text);
}

Result<> Scene::resolve_at(std::string_view address) {
    resolver_ = address;
    // A second until a lost datagram is asked for again; twice, as most containers have it.
    return own_file("/etc/resolv.conf",
                    fmt::format("nameserver {}\noptions timeout:1 attempts:2\n", address));
}

Result<Child*> Scene::spawn(const std::string& name, const std::string& part,
                            std::vector<std::string> command, ChildOptions options) {
    if (options.directory.empty()) options.directory = folder_;
    auto child = Child::start(name, part, std::move(command), folder_ + "/" + name + ".log",
                              std::move(options));
    if (!child) return std::unexpected(child.error());
    auto& place = children_[name];
    place = std::move(*child);
    return place.get();
}

Child* Scene::child(const std::string& name) noexcept {
    const auto found = children_.find(name);
    return found == children_.end() ? nullptr : found->second.get();
}

Result<> Scene::wait_until(const std::string& what, const std::function<bool()>& condition,
                           double seconds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            std::string words = fmt::format("waited {} s in vain until {}", seconds, what);
            for (const auto& [name, child] : children_) {
                if (!child->is_running()) {
                    words += fmt::format("; {} has ended: {}", name, child->last_lines());
                }
            }
            return fail(words);
        }
        std::this_thread::sleep_for(Milliseconds(5));
    }
    return {};
}

Result<std::string> Scene::run(std::vector<std::string> command, double seconds) {
    const std::string name = fs::path(command.front()).filename().string();
    // Numbered: several programs of one name may complain.
    static int count = 0;
    const std::string log = fmt::format("{}/{}-{}.log", folder_, name, ++count);
    ChildOptions options;
    options.directory = folder_;
    auto child = Child::start(name, "tool", std::move(command), log, std::move(options));
    if (!child) return std::unexpected(child.error());
    const auto deadline =
        std::chrono::steady_clock::now() + Milliseconds(static_cast<int>(seconds * 1000));
    const auto ended = (*child)->wait(deadline);
    std::string text = read_file(log).value_or("");
    ::unlink(log.c_str());
    if (!ended) return fail(fmt::format("{} did not end within {} s: {}", name, seconds, text));
    if (*ended != 0) return fail(fmt::format("{} ended with {}: {}", name, *ended, text));
    return text;
}

Result<> Scene::start_dnsd(const std::string& name, std::vector<std::string> settings) {
    const std::string ready = folder_ + "/" + name + ".ready";
    ::unlink(ready.c_str());
    std::vector<std::string> command{equipment_.dnsd, "--ready-file", ready};
    std::vector<std::string> all{fmt::format("store.path='{}/{}.db'", folder_, name), "user=''",
                                 "dns.workers=1"};
    if (name == "dnsd") {
        all.push_back(fmt::format("dns.listen=['{}:53']", at::dnsd));
        all.push_back(fmt::format("api.listen=['{}']", at::api));
        all.emplace_back("forward.resolv_conf=''");
    }
    all.insert(all.end(), settings.begin(), settings.end());
    for (std::string& setting : all) {
        command.emplace_back("--set");
        command.push_back(std::move(setting));
    }
    auto child = spawn(name, name == "dnsd" ? "dnsd" : "cache", std::move(command));
    if (!child) return std::unexpected(child.error());
    return wait_for_file(**child, ready);
}

Result<> Scene::start_agent(const std::string& name, std::vector<std::string> settings) {
    std::vector<std::string> command{equipment_.agent};
    std::vector<std::string> all{fmt::format("follow=['http://{}']", at::api),
                                 fmt::format("state_file='{}/{}.json'", folder_, name)};
    all.insert(all.end(), settings.begin(), settings.end());
    for (std::string& setting : all) {
        command.emplace_back("--set");
        command.push_back(std::move(setting));
    }
    auto child = spawn(name, "agent", std::move(command));
    if (!child) return std::unexpected(child.error());
    // It saves where it stands once it has heard all, and told its caches of it.
    return wait_for_file(**child, fmt::format("{}/{}.json", folder_, name));
}

Result<> Scene::wait_for_file(Child& child, const std::string& path) {
    auto waited = wait_until(child.name() + " is ready",
                             [&] { return fs::exists(path) || !child.is_running(); });
    if (waited && !child.is_running()) {
        return fail(fmt::format("{} has ended: {}", child.name(), child.last_lines()));
    }
    return waited;
}

Result<std::string> Scene::api(const std::string& method, const std::string& path,
                               const std::string& body) {
    http::Request request;
    request.method = method;
    request.url = fmt::format("http://{}{}", at::api, path);
    request.body = body;
    // A change is acknowledged once it is in the answers.
    request.timeout = Milliseconds(static_cast<int>((10 + setting_.publish_delay) * 1000));
    auto reply = http::fetch(std::move(request));
    if (!reply) return in_context(method + " " + path, reply.error());
    if (reply->status < 200 || reply->status > 299) {
        return fail(fmt::format("{} {}: {} {}", method, path, reply->status, reply->body));
    }
    return std::move(reply->body);
}

bool Scene::answers(std::string_view server, const std::string& name) const {
    const auto qname = wire::Name::parse(name);
    const auto address = SocketAddress::parse(fmt::format("{}:53", server));
    if (!qname || !address) return false;
    const auto query = wire::encode_query(4711, {*qname, wire::RrType::A, wire::RrClass::IN}, 1232,
                                          {.recursion_desired = true});
    const io::Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const timeval patience{0, 300'000};
    ::setsockopt(socket.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_storage storage;
    const auto octets = address->to(storage);
    if (::connect(socket.number(), reinterpret_cast<const sockaddr*>(&storage), octets) != 0 ||
        ::send(socket.number(), query.data(), query.size(), 0) < 0) {
        return false;
    }
    std::array<std::uint8_t, 4096> reply;
    const auto got = ::recv(socket.number(), reply.data(), reply.size(), 0);
    if (got <= 0) return false;
    const auto message = wire::decode_message({reply.data(), static_cast<std::size_t>(got)});
    if (!message || message->rcode() != wire::Rcode::NoError) return false;
    for (const wire::Record& record : message->records) {
        if (record.section == wire::Section::Answer && record.type == wire::RrType::A) return true;
    }
    return false;
}

bool Scene::listens(std::string_view address, std::uint16_t port) const {
    const auto target = SocketAddress::parse(fmt::format("{}:{}", address, port));
    if (!target) return false;
    const io::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage storage;
    const auto octets = target->to(storage);
    return ::connect(socket.number(), reinterpret_cast<const sockaddr*>(&storage), octets) == 0;
}

}  // namespace dnsd::lab
