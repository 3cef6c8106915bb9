#include "dnsd/api/handshakes.h"

#include <fmt/format.h>
#include <gnutls/gnutls.h>
#include <sys/socket.h>

#include "dnsd/api/problem.h"

namespace dnsd::api {

namespace {

// GnuTLS says it nowhere else: only a finished handshake has what a channel could be bound to (RFC
// 5929), or, in TLS 1.3, another reason to have none.
bool is_done(gnutls_session_t session) {
    gnutls_datum_t binding{};
    const int status = gnutls_session_channel_binding(session, GNUTLS_CB_TLS_UNIQUE, &binding);
    gnutls_free(binding.data);
    return status != GNUTLS_E_CHANNEL_BINDING_NOT_AVAILABLE;
}

// The first octet of a TLS connection is 22, a handshake record (RFC 8446 §5.1); that of a request
// is a method's first letter.
bool is_plain_http(int descriptor) {
    char first = 0;
    return recv(descriptor, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && first >= 'A' &&
           first <= 'Z';
}

// Says what is spoken here to a client that does not. What it sent is read first: it would not see
// our answer if we closed with octets of its own unread.
void refuse_plain_http(int descriptor) {
    char ignored[4096];
    while (recv(descriptor, ignored, sizeof ignored, MSG_DONTWAIT) > 0) {
    }
    const Reply reply = reply_of({400, "this port speaks TLS; its address begins with https://"});
    const std::string text = fmt::format(
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: {}\r\n"
        "Content-Length: {}\r\n\r\n{}",
        reply.content_type, reply.body.size(), reply.body);
    // The first octets on a connection have room in its buffer.
    send(descriptor, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(descriptor, SHUT_RDWR);
}

}  // namespace

Handshakes::Handshakes(io::Loop& loop, Milliseconds timeout, std::function<void()> resumed)
    : loop_(loop), timeout_(timeout), resumed_(std::move(resumed)) {}

void Handshakes::begin(MHD_Connection* connection, gnutls_session_t session, int descriptor) {
    Handshake& handshake = all_[connection];
    handshake.session = session;
    handshake.descriptor = descriptor;
    handshake.deadline = loop_.now() + timeout_;
    running_.push_back(connection);
}

void Handshakes::done(MHD_Connection* connection) { all_.erase(connection); }

void Handshakes::end(MHD_Connection* connection) {
    if (all_.erase(connection) > 0) failed_.add();
}

void Handshakes::suspend() {
    for (MHD_Connection* connection : running_) {
        const auto found = all_.find(connection);
        if (found == all_.end() || found->second.waits) continue;
        Handshake& handshake = found->second;
        if (is_done(handshake.session)) {
            all_.erase(found);
            continue;
        }
        MHD_suspend_connection(connection);
        handshake.waits.emplace(loop_, handshake.descriptor,
                                [this, connection](unsigned) { ready(connection); });
        handshake.waits->watch(gnutls_record_get_direction(handshake.session) == 0
                                   ? io::Poll::Readable
                                   : io::Poll::Writable);
    }
    running_.clear();
}

void Handshakes::ready(MHD_Connection* connection) {
    Handshake& handshake = all_.at(connection);
    if (!std::exchange(handshake.was_looked_at, true) && is_plain_http(handshake.descriptor))
        refuse_plain_http(handshake.descriptor);
    resume(connection, handshake);
    resumed_();
}

void Handshakes::resume(MHD_Connection* connection, Handshake& handshake) {
    handshake.waits.reset();
    running_.push_back(connection);
    MHD_resume_connection(connection);
}

void Handshakes::look() {
    for (auto& [connection, handshake] : all_) {
        // The socket is ready then: libmicrohttpd sees its end, and closes it.
        if (loop_.now() >= handshake.deadline) shutdown(handshake.descriptor, SHUT_RDWR);
    }
}

void Handshakes::resume_all() {
    for (auto& [connection, handshake] : all_) {
        if (handshake.waits) resume(connection, handshake);
    }
}

}  // namespace dnsd::api
