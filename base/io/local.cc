#include "base/io/local.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/io/tcp.h"

namespace dnsd::io {

namespace {

Result<Descriptor> connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return fail("the path is too long for a socket");
    path.copy(address.sun_path, path.size());
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.number() < 0) return fail(std::strerror(errno));
    // A unix socket is connected at once, or its queue is full (EAGAIN): nobody takes from it.
    if (connect(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return fail(std::strerror(errno));
    return socket;
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

struct LocalExchange::State {
    State(Loop& loop, const std::string& path, std::string text, Milliseconds timeout, Done on_done)
        : question(std::move(text)),
          done(std::move(on_done)),
          timer(loop, [this] { finish(fail(failure)); }) {
        auto connected = connect_to(path);
        if (!connected) {
            failure = connected.error().message;
            timer.start(Milliseconds(0));
            return;
        }
        socket = std::move(*connected);
        poll.emplace(loop, socket.number(), [this](unsigned events) { move(events); });
        poll->watch(Poll::Readable | Poll::Writable);
        timer.start(timeout);
    }

    void finish(Result<std::string> outcome) {
        poll.reset();
        timer.stop();
        const Done told = std::move(done);
        told(std::move(outcome));  // may destroy this
    }

    void move(unsigned events) {
        if ((events & Poll::Writable) != 0 && sent < question.size()) {
            const auto octets =
                send(socket.number(), question.data() + sent, question.size() - sent, MSG_NOSIGNAL);
            if (octets < 0 && !would_block()) return finish(fail(std::strerror(errno)));
            if (octets > 0) sent += static_cast<std::size_t>(octets);
            if (sent == question.size()) poll->watch(Poll::Readable);
        }
        if ((events & Poll::Readable) == 0) return;
        std::array<char, 16384> piece;
        while (true) {
            const auto octets = recv(socket.number(), piece.data(), piece.size(), 0);
            if (octets == 0) return finish(std::move(reply));
            if (octets < 0) {
                if (would_block()) return;
                return finish(fail(std::strerror(errno)));
            }
            reply.append(piece.data(), static_cast<std::size_t>(octets));
            if (reply.size() > reply_octets_max) return finish(fail("the reply is too long"));
        }
    }

    std::string question, reply;
    std::size_t sent = 0;
    std::string failure = "no answer in time";
    Done done;
    Descriptor socket;
    std::optional<Poll> poll;  // before the socket that it watches is closed, it ends
    Timer timer;
};

LocalExchange::LocalExchange(Loop& loop, const std::string& path, std::string question,
                             Milliseconds timeout, Done done)
    : state_(std::make_unique<State>(loop, path, std::move(question), timeout, std::move(done))) {}
LocalExchange::~LocalExchange() = default;

}  // namespace dnsd::io
