#include "base/io/local.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <thread>

#include "base/io/process.h"
#include "base/io/tcp.h"

using namespace dnsd;
using namespace dnsd::io;

namespace {

struct Listener {
    std::string folder = "/tmp/dnsd-local-XXXXXX";
    std::string path;
    Descriptor socket;

    Listener() : socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        REQUIRE(mkdtemp(folder.data()) != nullptr);
        path = folder + "/socket";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, path.size());
        REQUIRE(bind(socket.number(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(listen(socket.number(), 1) == 0);
    }
    ~Listener() { std::filesystem::remove_all(folder); }
};

Result<std::string> ask(const std::string& path, const std::string& question,
                        Milliseconds timeout) {
    Loop loop;
    Result<std::string> outcome = fail("nothing came");
    std::optional<LocalExchange> exchange;
    exchange.emplace(loop, path, question, timeout, [&](Result<std::string> reply) {
        outcome = std::move(reply);
        exchange.reset();
        loop.stop();
    });
    loop.run();
    return outcome;
}

Result<> run(const std::vector<std::string>& command, Milliseconds timeout) {
    Loop loop;
    Result<> outcome = fail("nothing came");
    std::optional<Process> process;
    process.emplace(loop, command, timeout, [&](Result<> ended) {
        outcome = std::move(ended);
        process.reset();
        loop.stop();
    });
    loop.run();
    return outcome;
}

constexpr Milliseconds patience(30'000);

}  // namespace

TEST_CASE("a question to a unix socket brings all that comes until the other side closes") {
    const Listener listener;
    const std::string long_reply(300'000, 'a');
    std::thread server([&] {
        const Descriptor client(accept(listener.socket.number(), nullptr, nullptr));
        char question[4];
        CHECK(recv(client.number(), question, sizeof question, MSG_WAITALL) == 4);
        CHECK(send(client.number(), long_reply.data(), long_reply.size(), MSG_NOSIGNAL) ==
              static_cast<ssize_t>(long_reply.size()));
    });
    const auto reply = ask(listener.path, "who?", patience);
    server.join();
    REQUIRE(reply);
    CHECK(*reply == long_reply);
}

TEST_CASE("nobody there, nobody who answers, a path that is none") {
    const Listener listener;
    CHECK(ask(listener.path, "who?", Milliseconds(20)).error().message == "no answer in time");
    CHECK(ask(listener.folder + "/none", "who?", patience).error().message ==
          "No such file or directory");
    CHECK(!ask(std::string(500, 'a'), "who?", patience));
}

TEST_CASE("a program ends well, badly, too late, or never began") {
    CHECK(run({"true"}, patience));
    CHECK(run({"sh", "-c", "exit 3"}, patience).error().message == "it ended with 3");
    CHECK(run({"sh", "-c", "kill -9 $$"}, patience).error().message == "it was ended by signal 9");
    CHECK(run({"sleep", "60"}, Milliseconds(20)).error().message == "no end in time");
    CHECK(run({"/nowhere/at/all"}, patience).error().message ==
          "/nowhere/at/all: no such file or directory");
}

TEST_CASE("a program whose owner goes is killed without a word") {
    Loop loop;
    const Process process(loop, {"sleep", "60"}, patience, [](const Result<>&) { CHECK(false); });
}
