#include "dnsd/transfer/outgoing.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/counters.h"
#include "base/log.h"
#include "dnsd/transfer/admission.h"
#include "dnsd/transfer/record_stream.h"
#include "dnsd/transfer/reply.h"
#include "dnsd/transfer/request.h"
#include "zone/tree/difference.h"

namespace dnsd::transfer {

namespace {

using wire::ExtendedError;
using wire::Rcode;

// As far as compression reaches: a longer message would only have longer names.
constexpr std::size_t message_octets = 16 * 1024;
constexpr std::size_t message_octets_max = 65'535;
constexpr std::size_t udp_octets_max = 1'232;
constexpr Milliseconds sweep_interval{5'000};
constexpr Milliseconds refusals_logged_every{1'000};  // anybody can ask

// What was sent, or begun.
enum class Kind : std::uint8_t { Axfr, Ixfr, WholeForIxfr, Soa };
constexpr std::array<std::string_view, 4> kind_names = {"axfr", "ixfr", "axfr_for_ixfr", "soa"};

enum class Outcome : std::uint8_t { Done, Refused, Busy, Failed, Left };
constexpr std::array<std::string_view, 5> outcome_names = {"done", "refused", "busy", "failed",
                                                           "client_left"};

std::optional<tree::Difference> decode(const store::DifferenceRow& row) {
    auto removed = tree::decode_records(row.removed);
    auto added = tree::decode_records(row.added);
    if (!removed || !added) return std::nullopt;
    return tree::Difference{row.from, row.to, std::move(*removed), std::move(*added)};
}

// What the client would have to be told of the zone, and how.
struct Plan {
    Kind kind;
    std::unique_ptr<RecordStream> stream;
};

}  // namespace

struct Outgoing::State : std::enable_shared_from_this<Outgoing::State> {
    struct Transfer {
        std::uint64_t number;
        Kind kind;
        Message message;
        wire::Query query;
        std::unique_ptr<RecordStream> stream;
        const RecordView* record = nullptr;  // the next to be written
        std::uint64_t messages = 0, records = 0;
        SteadyTime since{}, sent{};
    };

    Options options;
    registry::Registry& registry;
    std::unique_ptr<store::HistoryReader> history;
    Post post;
    const Clock& clock;
    std::map<std::uint64_t, Transfer> transfers;
    std::map<IpAddress, std::size_t> per_client;
    std::uint64_t last_number = 0;
    SteadyTime refusal_logged{};
    bool has_logged_refusal = false;
    std::array<std::array<Counter, outcome_names.size()>, kind_names.size()> ended;
    Counter messages, records, octets;
    std::atomic<std::size_t> under_way{0};
    io::Timer sweeping;

    State(io::Loop& loop, Options wanted, registry::Registry& of,
          std::unique_ptr<store::HistoryReader> reader, Post on_loop, const Clock& on)
        : options(std::move(wanted)),
          registry(of),
          history(std::move(reader)),
          post(std::move(on_loop)),
          clock(on),
          sweeping(loop, [this] { let_stalled_go(); }) {
        sweeping.repeat(sweep_interval);
    }

    void count(Kind kind, Outcome outcome) {
        ended[static_cast<std::size_t>(kind)][static_cast<std::size_t>(outcome)].add();
    }

    void refuse(Message& message, Kind kind, Outcome outcome, const wire::Question& question,
                ShortReply reply) {
        count(kind, outcome);
        const SteadyTime now = clock.steady();
        if (!has_logged_refusal || now - refusal_logged >= refusals_logged_every) {
            has_logged_refusal = true;
            refusal_logged = now;
            log::info("transfer refused zone={} client={} rcode={} reason={}",
                      log::quoted(question.name.print()), print(message.client.ip),
                      wire::print(reply.rcode), log::quoted(reply.text));
        }
        answer(message, reply, clock.wall());
    }

    void take(Message message) {
        const auto request = decode_request(message.octets);
        if (!request) {
            count(Kind::Axfr, Outcome::Failed);
            return answer(message, {.rcode = Rcode::FormErr}, clock.wall());
        }
        const wire::Question& question = *request->query.question;
        const Kind kind = question.type == wire::RrType::AXFR ? Kind::Axfr : Kind::Ixfr;
        const auto refused = [&](Outcome outcome, ShortReply reply) {
            refuse(message, kind, outcome, question, std::move(reply));
        };
        if (request->query.edns && request->query.edns->version != 0)
            return refused(Outcome::Failed, {.rcode = Rcode::BadVers});
        // RFC 5936 §4.2: undefined; BIND says so too.
        if (kind == Kind::Axfr && !message.is_tcp)
            return refused(Outcome::Failed,
                           {.rcode = Rcode::FormErr, .text = "AXFR wants TCP (RFC 5936 §4.2)"});

        const auto zone = question.rr_class == wire::RrClass::IN
                              ? registry.zones().load()->find_apex(question.name)
                              : nullptr;
        if (!zone)
            return refused(Outcome::Refused, {.rcode = Rcode::NotAuth,
                                              .code = ExtendedError::NotAuthoritative,
                                              .text = "no such zone here"});
        const auto state = registry.state().load();
        const registry::Namespace* within =
            state->find_namespace(zone->apex().lower_cased().print());
        if (!within || !is_allowed(*within, message))
            return refused(Outcome::Refused,
                           {.rcode = Rcode::Refused,
                            .code = ExtendedError::Prohibited,
                            .text = "neither address nor key may transfer this zone"});
        if (zone->soa() == nullptr)
            return refused(Outcome::Failed,
                           {.rcode = Rcode::ServFail,
                            .code = ExtendedError::NotReady,
                            .text = "the zone was not yet transferred, or expired"});
        begin(std::move(message), *request, zone, within->spec.name);
    }

    bool is_allowed(const registry::Namespace& within, const Message& message) const {
        const wire::Name* key = message.session ? &message.session->key_name() : nullptr;
        return is_admitted(within.spec.transfer, message.client.ip, key) ||
               is_admitted(options.allow, message.client.ip, key);
    }

    void begin(Message message, const Request& request, std::shared_ptr<const tree::Zone> zone,
               const std::string& within) {
        const Kind asked =
            request.query.question->type == wire::RrType::AXFR ? Kind::Axfr : Kind::Ixfr;
        if (!message.is_tcp) return answer_datagram(message, request, zone, within);
        const auto client = per_client.find(message.client.ip);
        const bool is_client_full =
            client != per_client.end() && client->second >= options.transfers_per_client_max;
        if (is_client_full || transfers.size() >= options.transfers_max)
            return refuse(
                message, asked, Outcome::Busy, *request.query.question,
                {.rcode = Rcode::ServFail,
                 .code = ExtendedError::NotReady,
                 .text = is_client_full ? "too many transfers to this client are under way"
                                        : "too many transfers are under way"});
        Plan plan = request.serial ? plan_ixfr(zone, within, *request.serial)
                                   : Plan{Kind::Axfr, stream_whole(zone)};
        const std::uint64_t number = ++last_number;
        ++per_client[message.client.ip];
        Transfer& transfer = transfers
                                 .try_emplace(number, Transfer{.number = number,
                                                               .kind = plan.kind,
                                                               .message = std::move(message),
                                                               .query = request.query,
                                                               .stream = std::move(plan.stream)})
                                 .first->second;
        under_way.store(transfers.size(), std::memory_order_relaxed);
        transfer.since = clock.steady();
        transfer.record = transfer.stream->next();
        go_on(transfer);
    }

    Plan plan_ixfr(const std::shared_ptr<const tree::Zone>& zone, const std::string& within,
                   std::uint32_t serial) {
        if (!wire::is_newer_serial(serial_of(zone->soa()->rdata(0)), serial))
            return {Kind::Soa, stream_soa(zone)};
        auto difference = find_difference(*zone, within, serial);
        // A difference that is longer than the zone is not worth it.
        if (difference && has_records(*zone, difference->size()))
            return {Kind::Ixfr, stream_difference(zone, std::move(*difference))};
        return {Kind::WholeForIxfr, stream_whole(zone)};
    }

    // From that serial to the zone's, in one. History may be ahead of what is published.
    std::optional<tree::Difference> find_difference(const tree::Zone& zone,
                                                    const std::string& within,
                                                    std::uint32_t serial) {
        if (!history) return std::nullopt;
        auto rows = history->after(within, serial);
        if (!rows) {
            log::error("history not read zone={} reason={}", log::quoted(within),
                       log::quoted(rows.error().message));
            return std::nullopt;
        }
        const std::uint32_t newest = serial_of(zone.soa()->rdata(0));
        const auto last = std::ranges::find(*rows, newest, &store::DifferenceRow::to);
        if (last == rows->end()) return std::nullopt;
        std::vector<tree::Difference> chain;
        for (auto row = rows->begin(); row != last + 1; ++row) {
            auto difference = decode(*row);
            if (!difference || difference->from != (chain.empty() ? serial : chain.back().to)) {
                log::error("history not understood zone={} serial={}", log::quoted(within),
                           row->from);
                return std::nullopt;
            }
            chain.push_back(std::move(*difference));
        }
        if (chain.size() == 1) return std::move(chain.front());
        return tree::condensed(chain);
    }

    // RFC 1995 §2: the whole answer in one datagram, or else the SOA, and the client comes by TCP.
    void answer_datagram(Message& message, const Request& request,
                         const std::shared_ptr<const tree::Zone>& zone, const std::string& within) {
        Plan plan = plan_ixfr(zone, within, *request.serial);
        const std::size_t client_takes =
            request.query.edns ? request.query.edns->udp_payload_octets : 512;
        const std::size_t signature = message.session ? message.session->reply_octets() : 0;
        // A signature on top of 512 octets is more than was asked for; so be it: nothing else fits.
        const std::size_t limit = std::max<std::size_t>(
            std::min(client_takes, udp_octets_max) - std::min(signature, client_takes - 512), 512);
        std::optional<std::vector<std::uint8_t>> octets_out =
            write_all(request.query, *plan.stream, limit);
        if (!octets_out) {
            plan = {Kind::Soa, stream_soa(zone)};
            octets_out = write_all(request.query, *plan.stream, message_octets_max);
        }
        if (message.session) message.session->sign_reply(*octets_out, clock.wall());
        count(plan.kind, Outcome::Done);
        messages.add();
        octets.add(octets_out->size());
        message.answer->send(std::move(*octets_out), true, {});
    }

    std::optional<std::vector<std::uint8_t>> write_all(const wire::Query& query,
                                                       RecordStream& stream, std::size_t limit) {
        MessageWriter writer(query, true, limit);
        std::uint64_t written = 0;
        for (const RecordView* record = stream.next(); record; record = stream.next()) {
            if (!writer.add(*record)) return std::nullopt;
            ++written;
        }
        records.add(written);
        return writer.finish();
    }

    // Makes the next message and sends it.
    void go_on(Transfer& transfer) {
        const std::size_t signature =
            transfer.message.session ? transfer.message.session->reply_octets() : 0;
        auto out = fill(transfer, message_octets);
        // One record that is larger than our messages goes alone.
        if (!out) out = fill(transfer, message_octets_max - signature);
        if (!out) return give_up(transfer);
        if (transfer.message.session) transfer.message.session->sign_reply(*out, clock.wall());
        ++transfer.messages;
        messages.add();
        octets.add(out->size());
        transfer.sent = clock.steady();
        const std::shared_ptr<Answerer> way = transfer.message.answer;
        if (transfer.record != nullptr)
            return way->send(std::move(*out), false, when_written(transfer.number));
        way->send(std::move(*out), true, {});
        end(transfer, Outcome::Done);
    }

    // Nothing: not even one record fits.
    std::optional<std::vector<std::uint8_t>> fill(Transfer& transfer, std::size_t limit) {
        MessageWriter writer(transfer.query, transfer.messages == 0, limit);
        std::uint64_t written = 0;
        while (transfer.record != nullptr && writer.add(*transfer.record)) {
            transfer.record = transfer.stream->next();
            ++written;
        }
        if (writer.is_empty()) return std::nullopt;
        transfer.records += written;
        records.add(written);
        return writer.finish();
    }

    // The client may have taken the message after all of this has ended.
    std::function<void(bool)> when_written(std::uint64_t number) {
        return [weak = weak_from_this(), on_loop = post, number](bool is_there) {
            on_loop([weak, number, is_there] {
                const auto alive = weak.lock();
                if (!alive) return;
                const auto at = alive->transfers.find(number);
                if (at == alive->transfers.end()) return;  // it was let go
                if (is_there) return alive->go_on(at->second);
                alive->end(at->second, Outcome::Left);
            });
        };
    }

    // A record of more than 64 KiB: an error is the one word that ends a transfer (RFC 5936 §2.2).
    void give_up(Transfer& transfer) {
        log::error("transfer given up zone={} client={} reason={}",
                   log::quoted(transfer.query.question->name.print()),
                   print(transfer.message.client.ip), log::quoted("a record fits no message"));
        answer(transfer.message, {.rcode = Rcode::ServFail}, clock.wall());
        end(transfer, Outcome::Failed);
    }

    void end(Transfer& transfer, Outcome outcome) {
        count(transfer.kind, outcome);
        // Whole zones are events for a person to know of; differences go out with every change.
        const bool is_whole = transfer.kind == Kind::Axfr || transfer.kind == Kind::WholeForIxfr;
        log::at(
            is_whole ? log::Level::Info : log::Level::Debug,
            "transfer ended zone={} client={} kind={} outcome={} records={} messages={} "
            "milliseconds={}",
            log::quoted(transfer.query.question->name.print()), print(transfer.message.client.ip),
            kind_names[static_cast<std::size_t>(transfer.kind)],
            outcome_names[static_cast<std::size_t>(outcome)], transfer.records, transfer.messages,
            std::chrono::duration_cast<Milliseconds>(clock.steady() - transfer.since).count());
        const auto client = per_client.find(transfer.message.client.ip);
        if (--client->second == 0) per_client.erase(client);
        transfers.erase(transfer.number);
        under_way.store(transfers.size(), std::memory_order_relaxed);
    }

    void let_stalled_go() {
        const SteadyTime now = clock.steady();
        for (auto at = transfers.begin(); at != transfers.end();) {
            Transfer& transfer = (at++)->second;
            if (now - transfer.sent < options.stalled_after) continue;
            transfer.message.answer->send({}, true, {});
            end(transfer, Outcome::Left);
        }
    }
};

Outgoing::Outgoing(io::Loop& loop, Options options, registry::Registry& registry,
                   std::unique_ptr<store::HistoryReader> history, Post post, const Clock& clock)
    : state_(std::make_shared<State>(loop, std::move(options), registry, std::move(history),
                                     std::move(post), clock)) {}

Outgoing::~Outgoing() {
    for (auto& [number, transfer] : state_->transfers) transfer.message.answer->send({}, true, {});
}

void Outgoing::take(Message message) { state_->take(std::move(message)); }

void Outgoing::allow(std::vector<model::Admission> allow) {
    state_->options.allow = std::move(allow);
}

std::vector<Metric> Outgoing::metrics() const {
    Metric transfers{"dnsd_transfers_total",
                     "Zone transfers to other name servers that have ended, by what was sent",
                     Metric::Kind::Counter,
                     {},
                     {}};
    for (std::size_t kind = 0; kind < kind_names.size(); ++kind) {
        for (std::size_t outcome = 0; outcome < outcome_names.size(); ++outcome) {
            transfers.samples.push_back({{{"kind", std::string(kind_names[kind])},
                                          {"outcome", std::string(outcome_names[outcome])}},
                                         static_cast<double>(state_->ended[kind][outcome].value()),
                                         {}});
        }
    }
    const auto plain = [](std::string name, std::string help, Metric::Kind kind, double value) {
        return Metric{std::move(name), std::move(help), kind, {{{}, value, {}}}, {}};
    };
    const auto counted = [&](std::string name, std::string help, const Counter& counter) {
        return plain(std::move(name), std::move(help), Metric::Kind::Counter,
                     static_cast<double>(counter.value()));
    };
    return {
        std::move(transfers),
        plain("dnsd_transfers_under_way", "Zone transfers to other name servers under way",
              Metric::Kind::Gauge,
              static_cast<double>(state_->under_way.load(std::memory_order_relaxed))),
        counted("dnsd_transfer_messages_total", "Messages of outgoing zone transfers",
                state_->messages),
        counted("dnsd_transfer_records_total", "Records in outgoing zone transfers",
                state_->records),
        counted("dnsd_transfer_octets_total", "Octets of outgoing zone transfers", state_->octets)};
}

}  // namespace dnsd::transfer
