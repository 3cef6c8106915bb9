#include "dnsd/transfer/secondary_zone.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "dnsd/transfer/primary_messages.h"
#include "dnsd/transfer/request.h"

namespace dnsd::transfer {

namespace {

using wire::Rcode;

constexpr Milliseconds look_again(1'000);  // when a change of freshness was under way, or refused

wire::Name parsed(const std::string& name) {
    auto apex = wire::Name::parse(name);
    DNSD_ASSERT(apex.has_value());
    return *apex;
}

// With these a server says that it knows no IXFR (RFC 1995 §4 leaves it open which).
bool knows_no_ixfr(Rcode rcode) noexcept {
    return rcode == Rcode::NotImp || rcode == Rcode::FormErr || rcode == Rcode::Refused;
}

bool has_rcode(const std::vector<std::uint8_t>& message) noexcept {
    return message.size() > 3 && (message[3] & 0x0f) != 0;
}

Rcode rcode_of(const std::vector<std::uint8_t>& message) noexcept {
    return static_cast<Rcode>(message[3] & 0x0f);
}

}  // namespace

SecondaryZone::SecondaryZone(SecondaryContext& context, std::string name,
                             std::vector<model::Peer> primaries)
    : context_(context),
      name_(std::move(name)),
      apex_(parsed(name_)),
      primaries_(std::move(primaries)),
      next_round_(context.loop, [this] { refresh(); }),
      expiry_(context.loop, [this] { expire(); }) {
    DNSD_ASSERT(!primaries_.empty());
    arm_expiry();
}

SecondaryZone::~SecondaryZone() {
    drop_exchanges();
    context_.queries.leave(this);
    context_.transfers.leave(this);
}

SecondaryZone::Held SecondaryZone::held() const {
    const auto state = context_.registry.state().load();
    const registry::Namespace* within = state->find_namespace(name_);
    if (within == nullptr || within->records == nullptr) return {};
    // What was hosted here before is no version of the primary's zone, whatever its serial.
    if (within->following.refreshed == WallTime{}) return {};
    const auto timers = soa_timers(*within->records);
    if (!timers) return {};
    return {within->records, *timers, within->following};
}

void SecondaryZone::look(const std::vector<model::Peer>& primaries) {
    DNSD_ASSERT(!primaries.empty());
    if (primaries == primaries_) {
        if (phase_ == Phase::Idle && failures_ > 0) refresh();
        return;
    }
    primaries_ = primaries;
    // Whoever was asked may no longer be one of them; what came is not believed.
    if (phase_ == Phase::Asking || phase_ == Phase::Transferring) {
        drop_exchanges();
        context_.queries.leave(this);
        context_.transfers.leave(this);
        phase_ = Phase::Idle;
    }
    at_ = 0;
    failures_ = 0;
    refresh();
}

void SecondaryZone::refresh(bool everything) {
    if (phase_ != Phase::Idle) {
        is_again_ = true;
        again_everything_ = again_everything_ || everything;
        return;
    }
    next_round_.stop();
    everything_ = everything;
    tried_ = 0;
    try_primary();
}

void SecondaryZone::notified(std::size_t primary, std::optional<std::uint32_t> serial) {
    const Held ours = held();
    const bool is_well = ours.zone != nullptr && !ours.following.expired && failures_ == 0;
    if (serial && is_well && !wire::is_newer_serial(*serial, ours.timers.serial)) return;
    if (phase_ == Phase::Idle) at_ = primary;
    refresh();
}

void SecondaryZone::try_primary() {
    if (everything_ || held().zone == nullptr) {
        phase_ = Phase::Transferring;
        context_.transfers.enter(this, [this] { begin_transfer(); });
    } else {
        phase_ = Phase::Asking;
        context_.queries.enter(this, [this] { ask(); });
    }
}

bool SecondaryZone::sign(std::vector<std::uint8_t>& query) {
    session_.reset();
    const std::string& name = primary().key;
    if (name.empty()) return true;
    const auto keyring = context_.keyring.load();
    const auto parsed_name = wire::Name::parse(name);
    const wire::TsigKey* key = parsed_name ? keyring->find(*parsed_name) : nullptr;
    if (key == nullptr) {
        primary_failed(fmt::format("there is no key {}", name));
        return false;
    }
    session_ = wire::TsigSession::sign_request(query, *key, context_.clock.wall());
    return true;
}

void SecondaryZone::ask() {
    id_ = static_cast<std::uint16_t>(draw_below(context_.random, 0x1'0000));
    unbelieved_.clear();
    auto query = encode_soa_query(id_, apex_);
    if (!sign(query)) return;
    datagram_ = std::make_unique<DatagramExchange>(
        context_.loop, primary().address, query, context_.options.query_timeout,
        [this](std::vector<std::uint8_t>& message) { return is_answer(message); },
        [this](const Result<std::vector<std::uint8_t>>& answer) {
            if (!answer)
                return primary_failed(unbelieved_.empty() ? answer.error().message : unbelieved_);
            if (is_truncated(*answer)) return ask_by_tcp();
            answered(*answer);
        });
}

void SecondaryZone::ask_by_tcp() {
    drop_exchanges();
    auto query = encode_soa_query(id_, apex_);
    if (!sign(query)) return;
    stream_ = std::make_unique<StreamExchange>(
        context_.loop, primary().address, query,
        StreamExchange::Timeouts{context_.options.message_timeout,
                                 context_.options.transfer_timeout},
        [this](std::vector<std::uint8_t> message) {
            if (is_answer(message))
                answered(message);
            else
                primary_failed(unbelieved_.empty() ? "it answers something else" : unbelieved_);
            return false;
        },
        [this](const Error& why) { primary_failed(why.message); });
}

bool SecondaryZone::is_answer(std::vector<std::uint8_t>& message) {
    const wire::Question asked{apex_, wire::RrType::SOA, wire::RrClass::IN};
    if (session_) {
        // Of a copy: a forged answer must not spoil what the true one is verified with.
        wire::TsigSession session = *session_;
        const auto verified = session.verify_reply(message, context_.clock.wall());
        if (!verified || !session.ends_signed()) {
            unbelieved_ = verified ? "its answer is not signed" : verified.error().message;
            if (has_rcode(message))
                unbelieved_ += fmt::format(" (it answers {})", wire::print(rcode_of(message)));
            return false;
        }
    }
    return answers(message, id_, asked);
}

void SecondaryZone::answered(const std::vector<std::uint8_t>& message) {
    const auto serial = decode_soa_answer(message, apex_);
    if (!serial) return primary_failed(serial.error().message);
    const Held ours = held();
    if (ours.zone != nullptr && !wire::is_newer_serial(*serial, ours.timers.serial)) {
        if (*serial != ours.timers.serial) return serial_is_behind(*serial, ours.timers.serial);
        return up_to_date();
    }
    drop_exchanges();
    context_.queries.leave(this);
    phase_ = Phase::Transferring;
    context_.transfers.enter(this, [this] { begin_transfer(); });
}

void SecondaryZone::begin_transfer() {
    drop_exchanges();
    id_ = static_cast<std::uint16_t>(draw_below(context_.random, 0x1'0000));
    from_ = everything_ || distrusts_ixfr_ ? nullptr : held().zone;
    auto query = from_ ? encode_ixfr_query(id_, *from_) : encode_axfr_query(id_, apex_);
    if (!sign(query)) return;
    begun_ = context_.clock.steady();
    const Secondaries::Options& options = context_.options;
    incoming_ = std::make_unique<IncomingTransfer>(
        apex_, id_, from_, IncomingTransfer::Limits{options.octets_max, options.records_max});
    stream_ = std::make_unique<StreamExchange>(
        context_.loop, primary().address, query,
        StreamExchange::Timeouts{options.message_timeout, options.transfer_timeout},
        [this](std::vector<std::uint8_t> message) { return take_message(std::move(message)); },
        [this](const Error& why) {
            // Some servers that do not know IXFR hang up.
            if (from_ && stream_->was_connected()) distrusts_ixfr_ = true;
            transfer_failed({TransferFailure::Kind::Broken, {}, why.message}, false);
        });
}

bool SecondaryZone::take_message(std::vector<std::uint8_t> message) {
    using Failure = TransferFailure;
    if (session_) {
        if (const auto verified = session_->verify_reply(message, context_.clock.wall());
            !verified) {
            std::string why = verified.error().message;
            if (has_rcode(message))
                why += fmt::format(" (it answers {})", wire::print(rcode_of(message)));
            transfer_failed({Failure::Kind::Broken, {}, std::move(why)}, false);
            return false;
        }
    }
    const auto progress = incoming_->take(message);
    if (!progress) {
        const Failure& why = progress.error();
        transfer_failed(why, why.kind == Failure::Kind::Broken ||
                                 (why.kind == Failure::Kind::Refused && knows_no_ixfr(why.rcode)));
        return false;
    }
    if (*progress == IncomingTransfer::Progress::More) return true;
    if (session_ && !session_->ends_signed())
        transfer_failed({Failure::Kind::Broken, {}, "its last message is not signed"}, false);
    else
        transferred(incoming_->finish());
    return false;
}

void SecondaryZone::transfer_failed(const TransferFailure& failure, bool may_be_the_difference) {
    const TransferFailure why = failure;  // it may belong to what is dropped below
    (from_ ? context_.counters.ixfr_failed : context_.counters.axfr_failed).add();
    if (from_ && may_be_the_difference) {
        log::info("transfer in falls back to AXFR zone={} primary={} reason={}", log::quoted(name_),
                  primary().address.print(), log::quoted(why.text));
        distrusts_ixfr_ = true;
        return begin_transfer();
    }
    primary_failed(why.text);
}

void SecondaryZone::transferred(IncomingTransfer::Outcome outcome) {
    using Kind = IncomingTransfer::Kind;
    const Held ours = held();
    if (outcome.kind == Kind::None) {
        if (outcome.serial != ours.timers.serial)
            return serial_is_behind(outcome.serial, ours.timers.serial);
        return up_to_date();
    }
    if (ours.zone != nullptr && !everything_ &&
        !wire::is_newer_serial(outcome.serial, ours.timers.serial)) {
        if (outcome.serial != ours.timers.serial)
            return serial_is_behind(outcome.serial, ours.timers.serial);
        return up_to_date();
    }
    (outcome.kind == Kind::Whole ? context_.counters.axfr : context_.counters.ixfr).add();
    if (outcome.dropped > 0)
        log::warn("transfer in holds records outside the zone zone={} primary={} dropped={}",
                  log::quoted(name_), primary().address.print(), outcome.dropped);
    const auto took = std::chrono::duration_cast<Milliseconds>(context_.clock.steady() - begun_);
    std::string line = fmt::format(
        "transfer in zone={} primary={} kind={} from={} to={} records={} octets={} messages={} "
        "seconds={:.3f}",
        log::quoted(name_), primary().address.print(),
        outcome.kind == Kind::Whole ? "axfr" : "ixfr",
        ours.zone ? std::to_string(ours.timers.serial) : "none", outcome.serial, outcome.records,
        outcome.octets, outcome.messages, static_cast<double>(took.count()) / 1000);
    submit(
        {registry::TakeTransfer{name_, std::move(outcome.zone), context_.clock.wall()}, {}, false},
        std::move(line));
}

void SecondaryZone::up_to_date() {
    submit({registry::SetFreshness{name_, {context_.clock.wall(), false}}, {}, false}, {});
}

// Ours is kept: what was answered once is not taken back because a primary lost its memory. It
// counts as a failure, so that another primary is asked and the zone expires if none is better.
void SecondaryZone::serial_is_behind(std::uint32_t serial, std::uint32_t ours) {
    primary_failed(fmt::format("its serial {} is behind ours, {}", serial, ours));
}

void SecondaryZone::submit(registry::Change change, std::string log_line) {
    drop_exchanges();
    context_.queries.leave(this);
    context_.transfers.leave(this);
    phase_ = Phase::Submitting;
    const bool taken = context_.submitter.submit(
        std::move(change),
        [self = weak_from_this(), line = std::move(log_line)](const registry::Outcome& outcome) {
            const auto zone = self.lock();
            if (zone == nullptr) return;
            if (outcome) {
                if (!line.empty()) log::info("{}", line);
                return zone->round_succeeded();
            }
            zone->trouble_ = outcome.error().detail;
            zone->round_failed();
        });
    if (taken) return;
    trouble_ = "too many changes are waiting";
    round_failed();
}

void SecondaryZone::primary_failed(const std::string& why) {
    trouble_ = fmt::format("{}: {}", primary().address.print(), why);
    log::debug("secondary asked in vain zone={} reason={}", log::quoted(name_),
               log::quoted(trouble_));
    drop_exchanges();
    if (++tried_ < primaries_.size()) {
        at_ = (at_ + 1) % primaries_.size();
        context_.queries.leave(this);
        context_.transfers.leave(this);
        return try_primary();
    }
    round_failed();
}

void SecondaryZone::round_failed() {
    ++failures_;
    context_.counters.failed.add();
    const Held ours = held();
    const Milliseconds wait = ours.zone ? retry_after(ours.timers, context_.random)
                                        : first_retry_after(failures_, context_.random);
    if (told_ != trouble_) {
        told_ = trouble_;
        log::warn("secondary failed zone={} reason={} serial={} expired={} retry_seconds={:.1f}",
                  log::quoted(name_), log::quoted(trouble_),
                  ours.zone ? std::to_string(ours.timers.serial) : "none",
                  ours.zone == nullptr || ours.following.expired,
                  static_cast<double>(wait.count()) / 1000);
    }
    at_ = 0;
    next_round_.start(wait);
    end_round();
}

void SecondaryZone::round_succeeded() {
    context_.counters.refreshed.add();
    failures_ = 0;
    distrusts_ixfr_ = false;
    if (!std::exchange(told_, {}).empty())
        log::info("secondary recovered zone={} primary={}", log::quoted(name_),
                  primary().address.print());
    at_ = 0;
    if (const Held ours = held(); ours.zone != nullptr)
        next_round_.start(refresh_after(ours.timers, context_.random));
    arm_expiry();
    end_round();
}

void SecondaryZone::end_round() {
    drop_exchanges();
    context_.queries.leave(this);
    context_.transfers.leave(this);
    phase_ = Phase::Idle;
    if (std::exchange(is_again_, false)) refresh(std::exchange(again_everything_, false));
}

void SecondaryZone::drop_exchanges() {
    datagram_.reset();
    stream_.reset();
    incoming_.reset();
}

void SecondaryZone::arm_expiry() {
    const Held ours = held();
    if (ours.zone == nullptr || ours.following.expired) return expiry_.stop();
    const WallTime at = expires_at(ours.timers, ours.following.refreshed);
    expiry_.start(std::max(Milliseconds(0), at - context_.clock.wall()));
}

void SecondaryZone::expire() {
    const Held ours = held();
    if (ours.zone == nullptr || ours.following.expired) return;
    // A primary may have said in this moment that all is well.
    if (phase_ == Phase::Submitting) return expiry_.start(look_again);
    if (context_.clock.wall() < expires_at(ours.timers, ours.following.refreshed))
        return arm_expiry();
    log::warn("secondary expired zone={} serial={} refreshed={}", log::quoted(name_),
              ours.timers.serial, print_time(ours.following.refreshed));
    const bool taken = context_.submitter.submit(
        {registry::SetFreshness{name_, {ours.following.refreshed, true}}, {}, false},
        [self = weak_from_this()](const registry::Outcome& outcome) {
            const auto zone = self.lock();
            if (zone != nullptr && !outcome) zone->expiry_.start(look_again);
        });
    if (!taken) expiry_.start(look_again);
}

}  // namespace dnsd::transfer
