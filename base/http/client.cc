#include "base/http/client.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>

#include "base/assert.h"
#include "base/text.h"

namespace dnsd::http {

namespace {

struct Transfer {
    Request request;
    Client::Done done;
    Response response;
    CURL* easy = nullptr;
    curl_slist* headers = nullptr;
    curl_slist* connect_to = nullptr;
    char error[CURL_ERROR_SIZE] = {};
    bool too_long = false, stopped = false, head_ended = false;

    Transfer() = default;
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;
    ~Transfer() {
        curl_easy_cleanup(easy);
        curl_slist_free_all(headers);
        curl_slist_free_all(connect_to);
    }
};

// OpenSSL's X509_V_ERR_*, of which libcurl hands out the numbers alone.
bool is_of_unknown_issuer(long verdict) { return verdict == 2 || (verdict >= 18 && verdict <= 21); }

// The host of "https://host:port/path", as the caller wrote it.
std::string_view host_of(std::string_view url) {
    if (const auto scheme = url.find("://"); scheme != url.npos) url.remove_prefix(scheme + 3);
    return url.substr(0, url.find('/'));
}

std::string complain_of_certificate(const Transfer& transfer) {
    const Request& request = transfer.request;
    const std::string_view host = host_of(request.url);
    long verdict = 0;
    curl_easy_getinfo(transfer.easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
    if (!is_of_unknown_issuer(verdict))
        return fmt::format("the certificate of {} is refused: {}", host, transfer.error);
    std::string text =
        fmt::format("the certificate of {} is not signed by any of {}", host,
                    request.ca_file.empty() ? "the system's roots" : "those in " + request.ca_file);
    if (!request.ca_option.empty())
        text += fmt::format("; {} names a file of roots", request.ca_option);
    return text;
}

std::string complaint(const Transfer& transfer, CURLcode code) {
    const std::string text = transfer.error[0] ? transfer.error : curl_easy_strerror(code);
    switch (code) {
        case CURLE_OPERATION_TIMEDOUT:
            return "timeout";
        case CURLE_PEER_FAILED_VERIFICATION:
            return complain_of_certificate(transfer);
        case CURLE_SSL_CACERT_BADFILE:
            return fmt::format("no certificates of roots can be read from {}",
                               transfer.request.ca_file);
        case CURLE_SSL_CONNECT_ERROR:
            return fmt::format("{} does not speak TLS with us: {}", host_of(transfer.request.url),
                               text);
        default:
            return text;
    }
}

// To libcurl what an HTTP/1.1 server says to the preface of HTTP/2 is nothing, and so is a reset
// stream; whoever also closes at once resets the connection while we still write.
bool is_no_http2(const Transfer& transfer, CURLcode code) {
    if (code == CURLE_GOT_NOTHING) return true;
    long status = 0;
    curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
    return status == 0 && (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR);
}

std::size_t take_body(char* octets, std::size_t, std::size_t size, void* to) {
    auto& transfer = *static_cast<Transfer*>(to);
    if (transfer.request.on_body) {
        transfer.stopped = !transfer.request.on_body({octets, size});
        return transfer.stopped ? 0 : size;
    }
    if (transfer.response.body.size() + size > transfer.request.body_octets_max) {
        transfer.too_long = true;
        return 0;
    }
    transfer.response.body.append(octets, size);
    return size;
}

// A status line, a header, the empty line where the head ends, or a trailer. An interim answer has
// a head of its own.
std::size_t take_header(char* octets, std::size_t, std::size_t size, void* to) {
    const std::string_view line(octets, size);
    auto& transfer = *static_cast<Transfer*>(to);
    if (line.starts_with("HTTP/")) {
        transfer.head_ended = false;
    } else if (trimmed(line).empty()) {
        transfer.head_ended = true;
    } else if (const auto colon = line.find(':'); colon != line.npos) {
        transfer.request.on_header(line.substr(0, colon), trimmed(line.substr(colon + 1)),
                                   transfer.head_ended);
    }
    return size;
}

int close_with_reset(void*, curl_socket_t socket, curlsocktype) {
    const linger at_once{1, 0};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return CURL_SOCKOPT_OK;
}

void set_up(Transfer& transfer) {
    CURL* easy = transfer.easy = curl_easy_init();
    DNSD_ASSERT(easy != nullptr);
    const Request& request = transfer.request;
    curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
    if (request.connect_timeout)
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                         static_cast<long>(request.connect_timeout->count()));
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, request.verify_tls ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, request.verify_tls ? 2L : 0L);
    if (!request.ca_file.empty()) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, request.ca_file.c_str());
        curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    }
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
    if (request.on_header) {
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &take_header);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
    }
    if (request.http2)
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                         static_cast<long>(CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
    if (request.closes_with_reset)
        curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, &close_with_reset);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
    for (const std::string& header : request.headers)
        transfer.headers = curl_slist_append(transfer.headers, header.c_str());
    if (!request.token.empty())
        transfer.headers = curl_slist_append(
            transfer.headers, fmt::format("Authorization: Bearer {}", request.token).c_str());
    if (!request.body.empty() || request.method == "PUT" || request.method == "POST") {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         static_cast<curl_off_t>(request.body.size()));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
        transfer.headers = curl_slist_append(transfer.headers, "Expect:");  // no 100-continue
    }
    if (request.method == "HEAD") curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers);
    if (request.connect_to) {
        transfer.connect_to =
            curl_slist_append(nullptr, fmt::format("::{}", request.connect_to->print()).c_str());
        curl_easy_setopt(easy, CURLOPT_CONNECT_TO, transfer.connect_to);
    }
    // A probe's connection is its own, and leaves nothing behind.
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
}

}  // namespace

struct Client::State {
    explicit State(io::Loop& on) : loop(on), timer(on, [this] { act(CURL_SOCKET_TIMEOUT, 0); }) {
        static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
        DNSD_ASSERT(ready == CURLE_OK);
        multi = curl_multi_init();
        DNSD_ASSERT(multi != nullptr);
        curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &on_socket);
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &on_timer);
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
    }
    ~State() {
        for (auto& [number, transfer] : transfers) curl_multi_remove_handle(multi, transfer->easy);
        transfers.clear();
        polls.clear();
        curl_multi_cleanup(multi);
    }

    static int on_socket(CURL*, curl_socket_t socket, int what, void* self, void*) {
        auto& state = *static_cast<State*>(self);
        if (what == CURL_POLL_REMOVE) {
            state.polls.erase(socket);
            return 0;
        }
        auto& poll = state.polls[socket];
        if (!poll) {
            poll =
                std::make_unique<io::Poll>(state.loop, socket, [&state, socket](unsigned events) {
                    state.act(socket, (events & io::Poll::Readable ? CURL_CSELECT_IN : 0) |
                                          (events & io::Poll::Writable ? CURL_CSELECT_OUT : 0));
                });
        }
        poll->watch((what & CURL_POLL_IN ? unsigned{io::Poll::Readable} : 0u) |
                    (what & CURL_POLL_OUT ? unsigned{io::Poll::Writable} : 0u));
        return 0;
    }

    static int on_timer(CURLM*, long milliseconds, void* self) {
        auto& state = *static_cast<State*>(self);
        if (milliseconds < 0) {
            state.timer.stop();
        } else {
            state.timer.start(Milliseconds(milliseconds));
        }
        return 0;
    }

    void act(curl_socket_t socket, int events) {
        int running = 0;
        inside = true;
        curl_multi_socket_action(multi, socket, events, &running);
        inside = false;
        for (const std::uint64_t number : std::exchange(to_start, {})) {
            if (const auto found = transfers.find(number); found != transfers.end())
                curl_multi_add_handle(multi, found->second->easy);
        }
        int left = 0;
        while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            Transfer* ended = nullptr;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &ended);
            finish(*ended, message->data.result);
        }
    }

    void finish(Transfer& ended, CURLcode code) {
        curl_multi_remove_handle(multi, ended.easy);
        const auto found = std::find_if(transfers.begin(), transfers.end(), [&](const auto& one) {
            return one.second.get() == &ended;
        });
        const auto transfer = std::move(found->second);
        transfers.erase(found);
        if (code == CURLE_OK || transfer->stopped) {
            long status = 0;
            curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
            transfer->response.status = static_cast<int>(status);
            transfer->done(std::move(transfer->response));
        } else if (transfer->too_long) {
            transfer->done(fail("the reply is too long"));
        } else if (transfer->request.http2 && is_no_http2(*transfer, code)) {
            transfer->done(fail("no answer in HTTP/2"));
        } else {
            transfer->done(fail(complaint(*transfer, code)));
        }
    }

    io::Loop& loop;
    io::Timer timer;
    CURLM* multi = nullptr;
    std::map<curl_socket_t, std::unique_ptr<io::Poll>> polls;
    std::map<std::uint64_t, std::unique_ptr<Transfer>> transfers;
    std::uint64_t last_number = 0;
    // libcurl takes no new request while it hands over a body: what on_body sends starts after it.
    bool inside = false;
    std::vector<std::uint64_t> to_start;
};

Client::Client(io::Loop& loop) : state_(std::make_unique<State>(loop)) {}
Client::~Client() = default;

std::uint64_t Client::send(Request request, Done done) {
    auto transfer = std::make_unique<Transfer>();
    transfer->request = std::move(request);
    transfer->done = std::move(done);
    set_up(*transfer);
    const std::uint64_t number = ++state_->last_number;
    if (state_->inside) {
        state_->to_start.push_back(number);
    } else {
        curl_multi_add_handle(state_->multi, transfer->easy);  // starts by the timer
    }
    state_->transfers.emplace(number, std::move(transfer));
    return number;
}

void Client::cancel(std::uint64_t number) {
    const auto found = state_->transfers.find(number);
    if (found == state_->transfers.end()) return;
    curl_multi_remove_handle(state_->multi, found->second->easy);
    state_->transfers.erase(found);
}

Result<Response> fetch(Request request) {
    io::Loop loop;
    Client client(loop);
    Result<Response> outcome = fail("no reply");
    client.send(std::move(request), [&](Result<Response> reply) {
        outcome = std::move(reply);
        loop.stop();
    });
    loop.run();
    return outcome;
}

}  // namespace dnsd::http
