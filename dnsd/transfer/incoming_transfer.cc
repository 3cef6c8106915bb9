#include "dnsd/transfer/incoming_transfer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "dnsd/transfer/request.h"
#include "zone/wire/rdata.h"

namespace dnsd::transfer {

namespace {

using wire::RrType;

constexpr std::size_t rrset_records_max = 65'535;  // tree::RRset's
constexpr std::uint32_t ttl_sign_bit = 0x8000'0000;

std::unexpected<TransferFailure> broken(std::string text) {
    return std::unexpected(
        TransferFailure{TransferFailure::Kind::Broken, wire::Rcode::NoError, std::move(text)});
}

std::unexpected<TransferFailure> too_large(std::string text) {
    return std::unexpected(
        TransferFailure{TransferFailure::Kind::TooLarge, wire::Rcode::NoError, std::move(text)});
}

std::shared_ptr<const tree::Zone> start_of(const wire::Name& apex,
                                           const std::shared_ptr<const tree::Zone>& current) {
    return current ? current : tree::Zone::make(apex);
}

// The least, where the records of an RRset do not agree (RFC 2181 §5.2).
void lower(std::uint32_t& ttl, bool is_first, std::uint32_t other) noexcept {
    ttl = is_first ? other : std::min(ttl, other);
}

}  // namespace

std::size_t IncomingTransfer::HashSetName::operator()(const SetName& name) const noexcept {
    return static_cast<std::size_t>(name.first.hash() + static_cast<std::uint16_t>(name.second));
}

IncomingTransfer::IncomingTransfer(const wire::Name& zone, std::uint16_t id,
                                   std::shared_ptr<const tree::Zone> current, Limits limits)
    : apex_(zone),
      id_(id),
      current_(std::move(current)),
      limits_(limits),
      edit_(start_of(zone, current_)) {
    DNSD_ASSERT(current_ == nullptr || (current_->apex() == zone && current_->soa() != nullptr &&
                                        current_->soa()->size() == 1));
    if (current_) from_ = serial_of(current_->soa()->rdata(0));
}

Result<IncomingTransfer::Progress, TransferFailure> IncomingTransfer::take(
    std::span<const std::uint8_t> message) {
    DNSD_ASSERT(phase_ != Phase::Done);
    outcome_.octets += message.size();
    if (outcome_.octets > limits_.octets_max)
        return too_large(fmt::format("it takes more than {} octets", limits_.octets_max));
    const auto decoded = wire::decode_message(message);
    if (!decoded) return broken("a message is malformed");
    if (const auto heading = check_heading(*decoded); !heading)
        return std::unexpected(heading.error());
    ++outcome_.messages;
    for (const wire::Record& each : decoded->records) {
        if (each.section != wire::Section::Answer) break;
        if (phase_ == Phase::Done) {
            if (outcome_.kind == Kind::None) break;
            return broken("records follow the end");
        }
        if (++outcome_.records > limits_.records_max)
            return too_large(fmt::format("it holds more than {} records", limits_.records_max));
        if (each.rr_class != static_cast<std::uint16_t>(wire::RrClass::IN) ||
            wire::is_query_only(each.type) || each.type == RrType{})
            return broken(fmt::format("a record of {} is none of a zone", each.owner.print()));
        auto rdata = wire::decode_rdata(
            each.type, message, static_cast<std::size_t>(each.rdata.data() - message.data()),
            each.rdata.size());
        if (!rdata)
            return broken(fmt::format("the data of {} {} are malformed", each.owner.print(),
                                      wire::print(each.type)));
        // RFC 2181 §8: with the sign bit it is zero.
        const std::uint32_t ttl = (each.ttl & ttl_sign_bit) != 0 ? 0 : each.ttl;
        if (auto step = take_record({each.owner, each.type, ttl, *std::move(rdata)}); !step)
            return std::unexpected(step.error());
    }
    if (phase_ == Phase::First) return broken("it begins without records");
    return phase_ == Phase::Done ? Progress::Done : Progress::More;
}

IncomingTransfer::Step IncomingTransfer::check_heading(const wire::Message& message) const {
    if (message.id != id_ || !message.is_response() || (message.flags & 0x7800) != 0)
        return broken("a message answers another query");
    if (message.rcode() != wire::Rcode::NoError)
        return std::unexpected(
            TransferFailure{TransferFailure::Kind::Refused, message.rcode(),
                            fmt::format("it answers {}", wire::print(message.rcode()))});
    if (message.truncated()) return broken("a message is truncated");
    // RFC 5936 §2.2.1: the messages after the first may leave the question out.
    const auto& questions = message.questions;
    if (questions.empty() && outcome_.messages > 0) return {};
    if (questions.size() != 1 || questions[0].name != apex_ ||
        questions[0].rr_class != wire::RrClass::IN ||
        questions[0].type != (current_ ? RrType::IXFR : RrType::AXFR))
        return broken("a message answers another question");
    return {};
}

IncomingTransfer::Step IncomingTransfer::take_record(Record record) {
    if (record.type == RrType::SOA && record.owner != apex_)
        return broken(fmt::format("{} has a SOA", record.owner.print()));
    if (!record.owner.is_at_or_below(apex_) && phase_ != Phase::First) {
        ++outcome_.dropped;
        return {};
    }
    switch (phase_) {
        case Phase::First:
            return take_first(record);
        case Phase::Second:
            return take_second(std::move(record));
        case Phase::Whole:
            return take_whole(std::move(record));
        case Phase::Removed:
        case Phase::Added:
            break;
        case Phase::Done:
            DNSD_ASSERT(false);
    }
    if (record.type == RrType::SOA) return take_soa_of_difference(record);
    SetChange& change = changes_[{record.owner, record.type}];
    if (phase_ == Phase::Removed) {
        change.removed.push_back(std::move(record.rdata));
    } else {
        lower(change.added.ttl, change.added.records.empty(), record.ttl);
        change.added.records.push_back({std::move(record.rdata)});
    }
    return {};
}

IncomingTransfer::Step IncomingTransfer::take_first(const Record& record) {
    if (record.type != RrType::SOA) return broken("it does not begin with the zone's SOA");
    soa_ = record;
    outcome_.serial = serial_of(record.rdata);
    phase_ = Phase::Second;
    if (current_ && !wire::is_newer_serial(outcome_.serial, from_)) {
        outcome_.kind = Kind::None;
        phase_ = Phase::Done;
    }
    return {};
}

IncomingTransfer::Step IncomingTransfer::take_second(Record record) {
    const bool is_soa = record.type == RrType::SOA;
    if (current_ && is_soa && serial_of(record.rdata) == from_) {
        outcome_.kind = Kind::Difference;
        phase_ = Phase::Removed;
        return {};
    }
    if (current_ && is_soa && serial_of(record.rdata) != outcome_.serial)
        return broken(fmt::format("the difference begins with serial {}, and ours is {}",
                                  serial_of(record.rdata), from_));
    // The whole zone, whatever was asked for: nothing of the one that is here stays.
    outcome_.kind = Kind::Whole;
    edit_ = tree::ZoneEdit(tree::Zone::make(apex_));
    phase_ = Phase::Whole;
    return take_whole(std::move(record));
}

IncomingTransfer::Step IncomingTransfer::take_whole(Record record) {
    if (record.type == RrType::SOA) {
        if (serial_of(record.rdata) != outcome_.serial)
            return broken(fmt::format("it begins with serial {} and ends with {}", outcome_.serial,
                                      serial_of(record.rdata)));
        if (auto kept = keep_set(); !kept) return kept;
        if (auto kept = keep_scattered(); !kept) return kept;
        if (auto set = set_rrset(apex_, RrType::SOA, {soa_.ttl, {{soa_.rdata}}}); !set) return set;
        return end();
    }
    if (!open_ || open_->first.second != record.type || open_->first.first != record.owner) {
        if (auto kept = keep_set(); !kept) return kept;
        open_.emplace(SetName{record.owner, record.type}, Set{});
    }
    Set& set = open_->second;
    lower(set.ttl, set.records.empty(), record.ttl);
    set.records.push_back({std::move(record.rdata)});
    return {};
}

IncomingTransfer::Step IncomingTransfer::keep_set() {
    if (!open_) return {};
    auto [name, set] = *std::exchange(open_, std::nullopt);
    if (edit_.find(name.first, name.second) == nullptr)
        return set_rrset(name.first, name.second, std::move(set));
    Set& scattered = scattered_[name];
    lower(scattered.ttl, scattered.records.empty(), set.ttl);
    std::ranges::move(set.records, std::back_inserter(scattered.records));
    return {};
}

IncomingTransfer::Step IncomingTransfer::keep_scattered() {
    for (auto& [name, set] : scattered_) {
        const tree::RRset* kept = edit_.find(name.first, name.second);
        for (std::size_t i = 0; i < kept->size(); ++i)
            set.records.push_back({{kept->rdata(i).begin(), kept->rdata(i).end()}});
        lower(set.ttl, false, kept->ttl());
        if (auto step = set_rrset(name.first, name.second, std::move(set)); !step) return step;
    }
    scattered_.clear();
    return {};
}

IncomingTransfer::Step IncomingTransfer::take_soa_of_difference(const Record& record) {
    const std::uint32_t serial = serial_of(record.rdata);
    if (phase_ == Phase::Removed) {
        if (!wire::is_newer_serial(serial, from_))
            return broken(fmt::format("a difference leads from serial {} to {}", from_, serial));
        to_ = serial;
        difference_soa_ = record;
        phase_ = Phase::Added;
        return {};
    }
    if (auto applied = apply_difference(); !applied) return applied;
    if (serial != to_)
        return broken(
            fmt::format("a difference leads to serial {}, and the next from {}", to_, serial));
    if (to_ == outcome_.serial) return end();
    from_ = to_;
    phase_ = Phase::Removed;
    return {};
}

// A zone without name servers is more likely a primary's accident than its wish: what is here
// stays.
IncomingTransfer::Step IncomingTransfer::end() {
    if (edit_.find(apex_, RrType::NS) == nullptr) return broken("the zone has no NS at its apex");
    phase_ = Phase::Done;
    return {};
}

IncomingTransfer::Step IncomingTransfer::apply_difference() {
    for (auto& [name, change] : changes_) {
        const auto& [owner, type] = name;
        Set set = std::move(change.added);
        const tree::RRset* before = edit_.find(owner, type);
        std::ranges::sort(change.removed);
        std::size_t removed = 0;
        for (std::size_t i = 0; before != nullptr && i < before->size(); ++i) {
            const std::vector<std::uint8_t> rdata(before->rdata(i).begin(), before->rdata(i).end());
            if (std::ranges::binary_search(change.removed, rdata)) {
                ++removed;
            } else {
                if (set.records.empty()) set.ttl = before->ttl();
                set.records.push_back({rdata});
            }
        }
        if (removed != change.removed.size())
            return broken(
                fmt::format("the difference from serial {} to {} removes a record of {} "
                            "{} that is not there",
                            from_, to_, owner.print(), wire::print(type)));
        if (set.records.empty()) {
            edit_.remove(owner, type);
        } else if (auto step = set_rrset(owner, type, std::move(set)); !step) {
            return step;
        }
    }
    changes_.clear();
    return set_rrset(apex_, RrType::SOA, {difference_soa_.ttl, {{difference_soa_.rdata}}});
}

IncomingTransfer::Step IncomingTransfer::set_rrset(const wire::Name& owner, RrType type, Set set) {
    if (set.records.size() > rrset_records_max)
        return too_large(fmt::format("{} {} has more than {} records", owner.print(),
                                     wire::print(type), rrset_records_max));
    edit_.set(owner, std::make_shared<const tree::RRset>(type, set.ttl, std::move(set.records)));
    return {};
}

IncomingTransfer::Outcome IncomingTransfer::finish() {
    DNSD_ASSERT(phase_ == Phase::Done);
    if (outcome_.kind != Kind::None) outcome_.zone = edit_.finish();
    return std::move(outcome_);
}

}  // namespace dnsd::transfer
