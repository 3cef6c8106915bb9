#include "dnsd/api/server.h"

#include <optional>
#include <thread>

#include "base/io/loop.h"
#include "base/io/mailbox.h"
#include "base/log.h"
#include "dnsd/api/certificate.h"
#include "dnsd/api/front.h"

namespace dnsd::api {

namespace {

// One letter for each acknowledgement and each publication: more than the registry lets wait.
constexpr std::size_t letters_max = 10'000'000;
// Answers that are being sent when we stop; a client that does not read must not hold us.
constexpr Milliseconds farewell_max(3'000);
constexpr Milliseconds farewell_look_every(10);

// What its files say.
struct Files {
    Tokens tokens;
    std::shared_ptr<const Certificate> certificate;  // null: plain HTTP
};

Result<Files> read_files(const Server::Options& options, WallTime now) {
    Files files;
    auto tokens = Tokens::read(options.tokens_file);
    if (!tokens) return std::unexpected(tokens.error());
    files.tokens = std::move(*tokens);
    if (options.tls_certificate_file.empty()) return files;
    auto certificate = Certificate::read(options.tls_certificate_file, options.tls_key_file, now);
    if (!certificate) return std::unexpected(certificate.error());
    files.certificate = std::move(*certificate);
    return files;
}

class RealServer final : public Server {
  public:
    RealServer(Options options, Surroundings surroundings, const Clock& clock)
        : options_(std::move(options)),
          surroundings_(std::move(surroundings)),
          clock_(clock),
          mailbox_(std::in_place, loop_, letters_max),
          handlers_(std::in_place, loop_, surroundings_, courier_, clock),
          farewell_(std::in_place, loop_, [this] { end_if_done(); }) {
        courier_->open(*mailbox_);
    }
    ~RealServer() override {
        stop();
        courier_->close();
        // What libmicrohttpd still holds says goodbye to handlers that are there.
        front_.reset();
        farewell_.reset();
        handlers_.reset();
        mailbox_.reset();
    }

    Result<> bind() {
        auto files = read_files(options_, clock_.wall());
        if (!files) return std::unexpected(files.error());
        speaks_tls_ = files->certificate != nullptr;
        auto front = Front::open(
            loop_, options_.listen,
            {options_.connections_max, options_.connections_per_client_max,
             [this](const Request& request) {
                 return handlers_->awaits_zone_file(request) ? options_.zone_octets_max
                                                             : options_.body_octets_max;
             },
             options_.idle_timeout},
            std::move(files->certificate),
            [this](std::shared_ptr<Exchange> exchange) { handlers_->handle(exchange); });
        if (!front) return std::unexpected(front.error());
        front_ = std::move(*front);
        handlers_->set_tokens(std::move(files->tokens));
        handlers_->set_metrics_open(options_.metrics_open);
        handlers_->set_tls(speaks_tls_);
        handlers_->set_api_addresses(front_->addresses());
        surroundings_.metrics.push_back([this] { return front_->metrics(); });
        surroundings_.registry.on_published(
            [this, courier = courier_](const registry::Published& published) {
                courier->post([this, published] { handlers_->news(published); });
            });
        return {};
    }

    void start() override {
        thread_ = std::thread([this] { loop_.run(); });
    }

    void stop() override {
        if (!thread_.joinable()) return;
        courier_->post([this] {
            front_->stop_listening();
            handlers_->stop();
            deadline_ = loop_.now() + farewell_max;
            farewell_->repeat(farewell_look_every);
        });
        thread_.join();
    }

    const std::vector<SocketAddress>& addresses() const noexcept override {
        return front_->addresses();
    }

    Result<> reload(const Options& options) override {
        auto files = read_files(options, clock_.wall());
        if (!files) return std::unexpected(files.error());
        const bool would_speak_tls = files->certificate != nullptr;
        if (would_speak_tls != speaks_tls_) log::warn("restart needed option=api.tls_cert");
        courier_->post([this, files = std::move(*files)]() mutable {
            handlers_->set_tokens(std::move(files.tokens));
            if (speaks_tls_ && files.certificate)
                front_->set_certificate(std::move(files.certificate));
        });
        return {};
    }

  private:
    void end_if_done() {
        if (front_->under_way() == 0 || loop_.now() >= deadline_) loop_.stop();
    }

    const Options options_;
    Surroundings surroundings_;
    const Clock& clock_;
    bool speaks_tls_ = false;  // since bind()
    std::shared_ptr<Courier> courier_ = std::make_shared<Courier>();
    io::Loop loop_;
    std::optional<io::Mailbox> mailbox_;
    std::optional<Handlers> handlers_;
    std::optional<io::Timer> farewell_;
    std::unique_ptr<Front> front_;
    SteadyTime deadline_{};
    std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::open(Options options, Surroundings surroundings,
                                             const Clock& clock) {
    auto server = std::make_unique<RealServer>(std::move(options), std::move(surroundings), clock);
    if (auto bound = server->bind(); !bound) return std::unexpected(bound.error());
    return server;
}

}  // namespace dnsd::api
