#include "dnsd/transfer/update.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/counters.h"
#include "base/log.h"
#include "dnsd/transfer/reply.h"
#include "dnsd/transfer/submitter.h"
#include "zone/wire/rdata.h"

namespace dnsd::transfer {

namespace {

using registry::Prerequisite;
using registry::RecordEdit;
using wire::ExtendedError;
using wire::Rcode;
using wire::RrClass;
using wire::RrType;

constexpr std::uint32_t ttl_sign_bit = 0x8000'0000;

std::unexpected<UpdateRefusal> refuse(Rcode rcode, std::string text,
                                      ExtendedError code = ExtendedError::Other) {
    return std::unexpected(UpdateRefusal{rcode, code, std::move(text)});
}

// "www.example.org A": which record a sentence is about.
std::string named(const wire::Record& record) {
    return fmt::format("{} {}", record.owner.print(), wire::print(record.type));
}

std::optional<wire::RdataOctets> rdata_of(std::span<const std::uint8_t> message,
                                          const wire::Record& record) {
    return wire::decode_rdata(record.type, message,
                              static_cast<std::size_t>(record.rdata.data() - message.data()),
                              record.rdata.size());
}

// Types that records can have.
bool is_of_data(RrType type) noexcept { return type != RrType{} && !wire::is_query_only(type); }

// RFC 2136 §2.4 and §3.2.5, one record after the other.
class PrerequisiteScan {
  public:
    PrerequisiteScan(std::span<const std::uint8_t> message, const wire::Name& zone)
        : message_(message), zone_(zone) {}

    Result<void, UpdateRefusal> take(const wire::Record& record);
    std::vector<Prerequisite> finish() {
        for (auto& [name, records] : equal_)
            found_.push_back(
                {Prerequisite::Kind::RRsetEquals, name.first, name.second, std::move(records)});
        return std::move(found_);
    }

  private:
    std::span<const std::uint8_t> message_;
    const wire::Name& zone_;
    std::vector<Prerequisite> found_;
    // §3.2.3: the records of one RRset count together, wherever they stand.
    std::map<std::pair<wire::Name, RrType>, registry::RdataList> equal_;
};

Result<void, UpdateRefusal> PrerequisiteScan::take(const wire::Record& record) {
    const auto rr_class = static_cast<RrClass>(record.rr_class);
    if (record.ttl != 0)
        return refuse(Rcode::FormErr, "the prerequisite " + named(record) + " has a TTL");
    if (!record.owner.is_at_or_below(zone_))
        return refuse(Rcode::NotZone, "the prerequisite " + named(record) + " is not in the zone");
    if (rr_class == RrClass::IN) {
        if (!is_of_data(record.type))
            return refuse(Rcode::FormErr,
                          "the prerequisite " + named(record) + " names no type of records");
        auto rdata = rdata_of(message_, record);
        if (!rdata)
            return refuse(Rcode::FormErr,
                          "the data of the prerequisite " + named(record) + " are malformed");
        equal_[{record.owner, record.type}].push_back(*std::move(rdata));
        return {};
    }
    if (rr_class != RrClass::ANY && rr_class != RrClass::NONE)
        return refuse(Rcode::FormErr, "the prerequisite " + named(record) + " has a strange class");
    if (!record.rdata.empty())
        return refuse(Rcode::FormErr, "the prerequisite " + named(record) + " has data");
    const bool is_there = rr_class == RrClass::ANY;
    if (record.type == RrType::ANY) {
        found_.push_back(
            {is_there ? Prerequisite::Kind::NameInUse : Prerequisite::Kind::NameNotInUse,
             record.owner});
        return {};
    }
    if (!is_of_data(record.type))
        return refuse(Rcode::FormErr,
                      "the prerequisite " + named(record) + " names no type of records");
    found_.push_back({is_there ? Prerequisite::Kind::RRsetExists : Prerequisite::Kind::RRsetAbsent,
                      record.owner, record.type});
    return {};
}

// RFC 2136 §2.5 and §3.4.1.
Result<RecordEdit, UpdateRefusal> decode_edit(std::span<const std::uint8_t> message,
                                              const wire::Record& record, const wire::Name& zone) {
    const auto rr_class = static_cast<RrClass>(record.rr_class);
    if (!record.owner.is_at_or_below(zone))
        return refuse(Rcode::NotZone, "the update of " + named(record) + " is not in the zone");
    if (rr_class != RrClass::IN && rr_class != RrClass::ANY && rr_class != RrClass::NONE)
        return refuse(Rcode::FormErr, "the update of " + named(record) + " has a strange class");
    const bool is_any_type = rr_class == RrClass::ANY && record.type == RrType::ANY;
    if (!is_any_type && !is_of_data(record.type))
        return refuse(Rcode::FormErr,
                      "the update of " + named(record) + " names no type of records");
    if (rr_class != RrClass::IN && record.ttl != 0)
        return refuse(Rcode::FormErr, "the removal of " + named(record) + " has a TTL");
    RecordEdit edit;
    edit.owner = record.owner;
    if (rr_class == RrClass::ANY) {
        if (!record.rdata.empty())
            return refuse(Rcode::FormErr, "the removal of all of " + named(record) + " has data");
        edit.kind = is_any_type ? RecordEdit::Kind::DeleteName : RecordEdit::Kind::DeleteRRset;
        if (!is_any_type) edit.type = record.type;
        return edit;
    }
    auto rdata = rdata_of(message, record);
    if (!rdata)
        return refuse(Rcode::FormErr,
                      "the data in the update of " + named(record) + " are malformed");
    edit.kind = rr_class == RrClass::IN ? RecordEdit::Kind::Add : RecordEdit::Kind::DeleteRecord;
    edit.type = record.type;
    edit.ttl = (record.ttl & ttl_sign_bit) != 0 ? 0 : record.ttl;  // RFC 2181 §8
    edit.records.push_back(*std::move(rdata));
    return edit;
}

ShortReply reply_of(const registry::Outcome& outcome) {
    if (outcome) return {};
    const registry::Refusal& refusal = outcome.error();
    ShortReply reply{Rcode::Refused, false, ExtendedError::Other, refusal.detail};
    using Kind = registry::Refusal::Kind;
    if (refusal.kind == Kind::NotFound) {
        reply.rcode = Rcode::NotAuth;
        reply.code = ExtendedError::NotAuthoritative;
    } else if (refusal.kind == Kind::Unavailable) {
        reply.rcode = Rcode::ServFail;
        reply.code = ExtendedError::NotReady;
    } else if (!refusal.rcode) {
        reply.code = ExtendedError::Prohibited;
    }
    reply.rcode = refusal.rcode.value_or(reply.rcode);
    return reply;
}

}  // namespace

Result<wire::Question, UpdateRefusal> decode_update_zone(std::span<const std::uint8_t> message) {
    const auto decoded = wire::decode_message(message);
    if (!decoded) return refuse(Rcode::FormErr, "the message is malformed");
    if (decoded->questions.size() != 1) return refuse(Rcode::FormErr, "an update names one zone");
    const wire::Question& zone = decoded->questions[0];
    if (zone.type != RrType::SOA)
        return refuse(Rcode::FormErr, "the zone of an update has the type SOA");
    return zone;
}

Result<Update, UpdateRefusal> decode_update(std::span<const std::uint8_t> message,
                                            const wire::Name& zone) {
    const auto decoded = wire::decode_message(message);
    if (!decoded) return refuse(Rcode::FormErr, "the message is malformed");
    Update update;
    PrerequisiteScan prerequisites(message, zone);
    for (const wire::Record& record : decoded->records) {
        if (record.section == wire::Section::Answer) {
            if (auto taken = prerequisites.take(record); !taken)
                return std::unexpected(taken.error());
        } else if (record.section == wire::Section::Authority) {
            auto edit = decode_edit(message, record, zone);
            if (!edit) return std::unexpected(edit.error());
            update.edits.push_back(*std::move(edit));
        }
    }
    update.prerequisites = prerequisites.finish();
    return update;
}

struct Updates::State {
    registry::Registry& registry;
    const Clock& clock;
    Submitter submitter;
    // By rcode: those of RFC 2136 §2.2, and the rest.
    std::array<Counter, 12> answered;

    State(io::Loop& loop, registry::Registry& to, const Clock& by, const Options& options)
        : registry(to), clock(by), submitter(loop, to, options.waiting_max) {}

    void take(Message message);
    Result<registry::ChangeRecords, UpdateRefusal> read(const Message& message) const;
    void reply(Message& message, const ShortReply& with);
};

Result<registry::ChangeRecords, UpdateRefusal> Updates::State::read(const Message& message) const {
    const auto zone = decode_update_zone(message.octets);
    if (!zone) return std::unexpected(zone.error());
    const auto state = registry.state().load();
    const std::string name = zone->name.lower_cased().print();
    const registry::Namespace* within = state->find_namespace(name);
    if (within == nullptr || !within->spec.dns || zone->rr_class != RrClass::IN)
        return refuse(Rcode::NotAuth, "this server has no such zone",
                      ExtendedError::NotAuthoritative);
    if (within->spec.is_secondary())
        return refuse(Rcode::NotImp,
                      "this server is a secondary of the zone, and forwards no updates",
                      ExtendedError::NotAuthoritative);
    // §3.3 has the requestor's permission come after the prerequisites. They tell what the zone
    // holds: whoever may not change it does not learn it here.
    if (!message.session)
        return refuse(Rcode::Refused, "updates of this zone want a TSIG key",
                      ExtendedError::Prohibited);
    const std::string key = message.session->key_name().lower_cased().print();
    if (std::ranges::find(within->spec.updaters, key) == within->spec.updaters.end())
        return refuse(Rcode::Refused, "the key may not update this zone",
                      ExtendedError::Prohibited);
    auto update = decode_update(message.octets, zone->name);
    if (!update) return std::unexpected(update.error());
    return registry::ChangeRecords{name, std::move(update->prerequisites), std::move(update->edits),
                                   true};
}

void Updates::State::take(Message message) {
    auto change = read(message);
    if (!change) {
        const UpdateRefusal& why = change.error();
        return reply(message, {why.rcode, false, why.code, why.text});
    }
    const std::string zone = change->namespace_name;
    const std::size_t edits = change->edits.size();
    // Shared: whether submit() takes it is only known when it has been given away.
    auto waiting = std::make_shared<Message>(std::move(message));
    const bool submitted = submitter.submit(
        {*std::move(change), {}, false},
        [this, waiting, zone, edits](const registry::Outcome& outcome) {
            const ShortReply with = reply_of(outcome);
            log::info("update zone={} client={} key={} edits={} rcode={} reason={}",
                      log::quoted(zone), waiting->client.print(),
                      log::quoted(waiting->session->key_name().print()), edits,
                      wire::print(with.rcode), log::quoted(with.text));
            reply(*waiting, with);
        });
    if (!submitted)
        reply(*waiting,
              {Rcode::ServFail, false, ExtendedError::NotReady, "too many updates are waiting"});
}

void Updates::State::reply(Message& message, const ShortReply& with) {
    const auto rcode = static_cast<std::size_t>(with.rcode);
    answered[std::min(rcode, answered.size() - 1)].add();
    answer(message, with, clock.wall());
}

Updates::Updates(io::Loop& loop, registry::Registry& registry, const Clock& clock, Options options)
    : state_(std::make_unique<State>(loop, registry, clock, options)) {}
Updates::~Updates() = default;

void Updates::take(Message message) { state_->take(std::move(message)); }

std::vector<Metric> Updates::metrics() const {
    Metric metric{
        "dnsd_updates_total", "Dynamic updates answered, by rcode.", Metric::Kind::Counter, {}, {}};
    for (std::size_t i = 0; i < state_->answered.size(); ++i) {
        const bool is_rest = i + 1 == state_->answered.size();
        metric.samples.push_back(
            {{{"rcode", is_rest ? "other" : wire::print(static_cast<Rcode>(i))}},
             static_cast<double>(state_->answered[i].value()),
             {}});
    }
    return {metric};
}

}  // namespace dnsd::transfer
