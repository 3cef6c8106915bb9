#include "dnsd/other_servers.h"

#include <fmt/core.h>

#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "dnsd/config.h"

namespace dnsd {

namespace {

Milliseconds milliseconds(double seconds) {
    return std::chrono::round<Milliseconds>(std::chrono::duration<double>(seconds));
}

class Answerer final : public transfer::Answerer {
  public:
    explicit Answerer(std::shared_ptr<nameserver::ReturnPath> way_back)
        : way_back_(std::move(way_back)) {}
    void send(std::vector<std::uint8_t> message, bool is_last,
              std::function<void(bool)> written) override {
        way_back_->send(std::move(message), is_last, std::move(written));
    }

  private:
    const std::shared_ptr<nameserver::ReturnPath> way_back_;
};

class ToTransfers final : public nameserver::Handover {
  public:
    explicit ToTransfers(transfer::Transfers& transfers) : transfers_(transfers) {}
    void take(nameserver::HandedOver given) override {
        transfers_.take({.octets = std::move(given.message),
                         .client = given.client,
                         .is_tcp = given.transport == nameserver::Transport::Tcp,
                         .session = std::move(given.session),
                         .answer = std::make_shared<Answerer>(std::move(given.way_back))});
    }

  private:
    transfer::Transfers& transfers_;
};

Result<std::vector<wire::TsigKey>> read_keys(const std::string& path) {
    if (path.empty()) return std::vector<wire::TsigKey>();
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail(fmt::format("transfer.keys_file: {} cannot be read", path));
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    auto keys = wire::parse_tsig_keys(text);
    if (!keys) return in_context("transfer.keys_file: " + path, std::move(keys.error()));
    return keys;
}

}  // namespace

Result<transfer::Transfers::Options> transfer_options(const Options& options) {
    transfer::Transfers::Options out;
    out.notify = notify_of(options);
    out.allow = transfer_allow_of(options);
    auto keys = read_keys(options.text("transfer.keys_file"));
    if (!keys) return std::unexpected(keys.error());
    out.keys = std::move(*keys);
    out.notify_delay = milliseconds(options.seconds("transfer.notify_delay"));
    if (!options.is_set("transfer.notify_delay") && options.text("profile") == "aws")
        out.notify_delay = std::chrono::seconds(1);
    out.transfers_max = static_cast<std::size_t>(options.integer("transfer.out_max"));
    out.transfers_per_client_max =
        static_cast<std::size_t>(options.integer("transfer.out_per_client_max"));
    out.secondaries.transfers_max = static_cast<std::size_t>(options.integer("transfer.in_max"));
    out.secondaries.records_max =
        static_cast<std::uint64_t>(options.integer("transfer.in_records_max"));
    return out;
}

std::unique_ptr<nameserver::Handover> make_handover(transfer::Transfers& transfers) {
    return std::make_unique<ToTransfers>(transfers);
}

}  // namespace dnsd
