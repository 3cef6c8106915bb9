#include "dnsd/nameserver/answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "base/text.h"
#include "zone/tree/lookup.h"
#include "zone/wire/message.h"
#include "zone/wire/reader.h"

namespace dnsd::nameserver {

namespace {

using tree::Draw;
using tree::LookupResult;
using tree::Node;
using tree::RRset;
using tree::Zone;
using wire::Name;
using wire::Query;
using wire::Rcode;
using wire::ReplyWriter;
using wire::RrType;
using wire::Section;

constexpr unsigned aliases_followed_max = 8;
constexpr std::size_t targets_max = 64;  // targets whose addresses are added

// Where the name stands in the RDATA of those types whose targets' addresses are added to an
// answer: RFC 1035 §3.3.9, §3.3.11, RFC 2782, RFC 9460 §4.1.
constexpr std::optional<std::size_t> target_at(RrType type) noexcept {
    switch (type) {
        case RrType::NS:
            return 0;
        case RrType::MX:
        case RrType::SVCB:
        case RrType::HTTPS:
            return 2;
        case RrType::SRV:
            return 6;
        default:
            return std::nullopt;
    }
}

// The octets of the name that stands there, in RDATA of a zone, which is well-formed.
std::span<const std::uint8_t> name_in(std::span<const std::uint8_t> rdata,
                                      std::size_t at) noexcept {
    std::size_t end = at;
    while (rdata[end] != 0) end += rdata[end] + std::size_t{1};
    return rdata.subspan(at, end + 1 - at);
}

// Which records of an RRset are answered, in which order; at most 65,535 indices, on the stack.
class Drawing {
  public:
    Drawing(const RRset& rrset, Transport transport, Random& random) noexcept
        : size_(rrset.size()) {
        switch (rrset.draw()) {
            case Draw::All:
                break;
            case Draw::Rotated:
                start_ = draw_below(random, static_cast<std::uint32_t>(size_));
                break;
            case Draw::Weighted:
                start_ = weighted(rrset, random);
                size_ = 1;
                break;
            case Draw::Sample:
                sample(rrset, transport, random);
                return;
        }
        total_ = rrset.size();
    }

    std::size_t size() const noexcept { return size_; }
    std::size_t operator[](std::size_t i) const noexcept {
        if (sampled_) return picked_[i];
        return start_ + i < total_ ? start_ + i : start_ + i - total_;
    }

  private:
    static std::size_t weighted(const RRset& rrset, Random& random) noexcept {
        const auto sums = rrset.weight_sums();
        if (sums.back() == 0) return draw_below(random, static_cast<std::uint32_t>(rrset.size()));
        const std::uint64_t at = random() % sums.back();
        return static_cast<std::size_t>(std::ranges::upper_bound(sums, at) - sums.begin());
    }

    // The head of a shuffle (Fisher and Yates).
    void sample(const RRset& rrset, Transport transport, Random& random) noexcept {
        const std::size_t all = rrset.size();
        if (transport == Transport::Udp && rrset.answers_max() > 0) {
            size_ = std::min<std::size_t>(size_, rrset.answers_max());
        }
        sampled_ = true;
        std::iota(picked_.begin(), picked_.begin() + static_cast<std::ptrdiff_t>(all),
                  std::uint16_t{0});
        Draws draws(random);
        for (std::size_t i = 0; i < size_; ++i) {
            const std::size_t other = i + draws.below(static_cast<std::uint32_t>(all - i));
            std::swap(picked_[i], picked_[other]);
        }
    }

    std::size_t size_;
    std::size_t start_ = 0;
    std::size_t total_ = 1;
    bool sampled_ = false;
    std::array<std::uint16_t, 65'535> picked_;  // the first size_ are meant, if sampled_
};

// One reply under way.
class Answering {
  public:
    Answering(const Query& query, const AnswerContext& context, bool may_recurse,
              ReplyWriter& writer) noexcept
        : query_(query), context_(context), may_recurse_(may_recurse), writer_(writer) {}

    Rcode answer() noexcept {
        Alias alias;
        const Rcode rcode = answer_one(query_.question->name, 0, alias);
        return alias.leads_on ? follow(alias.target) : rcode;
    }

    // The zone that QNAME is in, if it is one of ours and had something to say.
    const Zone* zone_asked() const noexcept { return zone_asked_; }

    // What the response is counted by, where there are rate limits.
    ResponseKind kind(Rcode rcode) const noexcept {
        using Class = ResponseKind::Class;
        const std::uint64_t apex = zone_asked_ != nullptr ? zone_asked_->apex().hash() : 0;
        if (rcode == Rcode::NxDomain) return {Class::NxDomain, apex};
        if (rcode != Rcode::NoError) return {Class::Error, 0};
        if (node_asked_ != nullptr) return {Class::Data, node_asked_->hash()};
        return {Class::Data, zone_asked_ != nullptr ? apex : query_.question->name.hash()};
    }

    // What must be resolved before there is an answer; null: nothing.
    std::unique_ptr<wire::RecursiveQuestion> take_wanted() noexcept { return std::move(wanted_); }

  private:
    // Where a chain goes on, if it does.
    struct Alias {
        Alias& operator=(const std::optional<Name>& name) noexcept {
            leads_on = name.has_value();
            if (name) target = *name;
            return *this;
        }
        Name target;
        bool leads_on = false;
    };

    // The rest of a chain, which goes on at `qname`.
    Rcode follow(Name qname) noexcept {
        std::array<Name, aliases_followed_max + 1> met;  // the aliases on the way
        met[0] = query_.question->name;
        for (unsigned aliases = 1;; ++aliases) {
            const auto end = met.begin() + aliases;
            if (std::find(met.begin(), end, qname) != end) {
                writer_.set_extended_error(wire::ExtendedError::Other,
                                           "the aliases go in a circle");
                return Rcode::NoError;
            }
            if (aliases > aliases_followed_max) {
                writer_.set_extended_error(wire::ExtendedError::Other, "too many aliases");
                return Rcode::NoError;
            }
            Alias alias;
            const Rcode rcode = answer_one(qname, aliases, alias);
            if (!alias.leads_on) return rcode;
            met[aliases] = std::exchange(qname, alias.target);
        }
    }

    // What there is of one name, behind so many aliases.
    Rcode answer_one(const Name& qname, unsigned aliases, Alias& alias) noexcept {
        const bool is_known = aliases == 0 && context_.ahead && query_.question->type != RrType::DS;
        const Zone* zone = is_known ? context_.ahead->zone : find_zone(qname);
        if (zone == nullptr) {
            if (const auto rcode = give_special(qname)) return *rcode;
            // Out of our zones: at the start that is refused, in a chain the client goes on
            // (RFC 1034 §4.3.2).
            if (!may_recurse_) return aliases == 0 ? refuse() : Rcode::NoError;
            const auto aged = find_outside(qname);
            if (!aged) return Rcode::ServFail;  // wanted() says what is missing
            if (aliases == 0 && aged->response->rcode() == Rcode::NxDomain)
                alias = complete(qname, ttl_of(*aged, aged->response->lifetime()));
            if (wanted_ || alias.leads_on) return Rcode::ServFail;
            return give_outside(qname, *aged, aliases == 0, alias);
        }
        // A chain that leads to where nothing is known is left to the client, as one that leads out
        // of our zones is.
        if (!is_loaded(*zone)) return aliases == 0 || may_recurse_ ? fail() : Rcode::NoError;
        if (is_too_stale()) return fail();
        const LookupResult found =
            look_up(*zone, qname, query_.question->type, is_known ? context_.ahead->node : nullptr);
        if (aliases == 0) {
            writer_.set_authoritative(found.kind != LookupResult::Kind::Referral);
            zone_asked_ = zone;
            node_asked_ = found.node;
        }
        const std::size_t qname_at = aliases == 0 && !qname.is_root() ? wire::header_octets : 0;
        switch (found.kind) {
            case LookupResult::Kind::Answer:
                give_answer(*zone, qname, qname_at, found);
                break;
            case LookupResult::Kind::NoData:
                give_soa(*zone);
                break;
            case LookupResult::Kind::NxDomain:
                if (aliases == 0) alias = complete(qname, zone->soa()->ttl());
                if (wanted_) return Rcode::ServFail;
                if (alias.leads_on) break;
                give_soa(*zone);
                return Rcode::NxDomain;
            case LookupResult::Kind::Referral:
                give_referral(*zone, *found.rrset, *found.node);
                break;
            case LookupResult::Kind::Cname:
                if (give(Section::Answer, qname.octets(), *found.rrset, qname_at))
                    alias = target_of(found.rrset->rdata(0));
                break;
            case LookupResult::Kind::Dname:
                return redirect(qname, *found.node, *found.rrset, aliases, alias);
        }
        return Rcode::NoError;
    }

    // RFC 6672 §3.2.
    Rcode redirect(const Name& qname, const Node& node, const RRset& dname, unsigned aliases,
                   Alias& alias) noexcept {
        if (!is_given(dname) && !give(Section::Answer, node.name_octets(), dname))
            return Rcode::NoError;
        dnames_[aliases] = &dname;
        const auto target = qname.with_suffix(node.owner(), target_of(dname.rdata(0)));
        if (!target) return too_long();
        const bool fits = put(Section::Answer, qname, RrType::CNAME, dname.ttl(), target->octets());
        // To these the alias is the answer (RFC 1034 §3.6.2).
        const bool is_answer =
            query_.question->type == RrType::CNAME || query_.question->type == RrType::ANY;
        if (fits && !is_answer) alias = target;
        return Rcode::NoError;
    }

    // DS stands in the parent's zone, also where we serve the child (RFC 4035 §3.1.4.1).
    const Zone* find_zone(const Name& qname) const noexcept {
        const Zone* zone = context_.zones.find(qname);
        if (zone == nullptr || query_.question->type != RrType::DS || qname.is_root() ||
            zone->apex() != qname) {
            return zone;
        }
        const Zone* parent = context_.zones.find(qname.parent());
        return parent != nullptr ? parent : zone;
    }

    // RFC 1034 §4.3.2, step 3, in a zone among others: a name exists too by a zone of ours at or
    // below it that its parent does not delegate (RFC 8020 §2), and no wildcard reaches past it.
    LookupResult look_up(const Zone& zone, const Name& name, RrType type,
                         const Node* at_name = nullptr) const noexcept {
        const LookupResult found = tree::lookup(zone, name, type, at_name);
        if (found.kind != LookupResult::Kind::NxDomain && !found.synthesized) return found;
        std::span<const std::uint8_t> next_closer = name.octets();  // RFC 5155 §1.3
        for (;;) {
            const auto parent = next_closer.subspan(next_closer[0] + std::size_t{1});
            if (parent.size() == found.closest_encloser->name_octets().size()) break;
            next_closer = parent;
        }
        if (!context_.zones.has_at_or_below(next_closer)) return found;
        const auto kind = context_.zones.has_at_or_below(name.octets())
                              ? LookupResult::Kind::NoData
                              : LookupResult::Kind::NxDomain;
        return {kind, nullptr, nullptr, found.closest_encloser, false};
    }

    // RFC 8914 §4.25: a secondary's zone, not here yet or no longer.
    bool is_loaded(const Zone& zone) noexcept {
        if (zone.soa() != nullptr) return true;
        writer_.set_extended_error(wire::ExtendedError::InvalidData,
                                   "not transferred yet, or expired");
        return false;
    }
    Rcode fail() noexcept {
        writer_.set_authoritative(false);
        return Rcode::ServFail;
    }
    // RFC 6672 §2.2.
    Rcode too_long() noexcept {
        writer_.set_extended_error(wire::ExtendedError::Other, "too long a name by the DNAME");
        return Rcode::YxDomain;
    }

    // RFC 2181 §5: a DNAME that redirects twice in a chain stands in the answer once.
    bool is_given(const RRset& dname) const noexcept {
        return std::ranges::find(dnames_, &dname) != dnames_.end();
    }

    // Names that mean the same everywhere and are asked from nobody: localhost (RFC 6761 §6.3),
    // invalid (§6.4) and onion (RFC 7686 §2).
    std::optional<Rcode> give_special(const Name& qname) noexcept {
        static const Name localhost = *Name::parse("localhost"), invalid = *Name::parse("invalid"),
                          onion = *Name::parse("onion");
        static constexpr std::array<std::uint8_t, 4> v4 = {127, 0, 0, 1};
        static constexpr std::array<std::uint8_t, 16> v6 = {0, 0, 0, 0, 0, 0, 0, 0,
                                                            0, 0, 0, 0, 0, 0, 0, 1};
        constexpr std::uint32_t ttl = 86'400;
        if (!may_recurse_) return std::nullopt;
        if (qname.is_at_or_below(invalid) || qname.is_at_or_below(onion)) return Rcode::NxDomain;
        if (!qname.is_at_or_below(localhost)) return std::nullopt;
        if (query_.question->type == RrType::A) put(Section::Answer, qname, RrType::A, ttl, v4);
        if (query_.question->type == RrType::AAAA)
            put(Section::Answer, qname, RrType::AAAA, ttl, v6);
        return Rcode::NoError;
    }

    // RFC 8914 §4.19, §4.21.
    Rcode refuse() noexcept {
        writer_.set_extended_error(query_.recursion_desired && context_.recursion != nullptr &&
                                           context_.recursion->is_available()
                                       ? wire::ExtendedError::Prohibited
                                       : wire::ExtendedError::NotAuthoritative,
                                   {});
        return Rcode::Refused;
    }

    // Nothing: it is not known yet, and wanted.
    std::optional<wire::AgedResponse> find_outside(const Name& name) noexcept {
        const wire::RecursiveQuestion asked{{name, query_.question->type, wire::RrClass::IN},
                                            query_.edns && query_.edns->dnssec_ok,
                                            query_.checking_disabled};
        for (const Resolved& resolved : context_.resolved) {
            if (resolved.question == asked) return resolved.aged;
        }
        auto kept = context_.recursion->find(asked);
        if (!kept) wanted_ = std::make_unique<wire::RecursiveQuestion>(asked);
        return kept;
    }

    static std::uint32_t ttl_of(const wire::AgedResponse& aged, std::uint32_t ttl) noexcept {
        if (aged.is_stale) return aged.stale_ttl;
        return ttl > aged.ttl_lowered ? ttl - aged.ttl_lowered : 0;
    }

    // Where else the client would have looked, had it walked its search list: the first name that
    // exists, with an alias to it that lives as long as what is known of the names before it.
    // NXDOMAIN alone moves on, so that A and AAAA go the same way.
    std::optional<Name> complete(const Name& qname, std::uint32_t ttl) noexcept {
        if (!may_recurse_) return std::nullopt;
        const auto list = std::ranges::find_if(context_.options.search_lists, [&](const auto& one) {
            return one.clients.contains(context_.client);
        });
        if (list == context_.options.search_lists.end() || !qname.is_below(list->domains.front()))
            return std::nullopt;
        for (std::size_t i = 1; i <= list->domains.size(); ++i) {
            const auto candidate = qname.with_suffix(
                list->domains.front(), i < list->domains.size() ? list->domains[i] : Name());
            if (!candidate) continue;
            const Zone* zone = find_zone(*candidate);
            if (zone != nullptr) {
                if (zone->soa() == nullptr) return std::nullopt;  // it cannot be known
                if (look_up(*zone, *candidate, query_.question->type).kind !=
                    LookupResult::Kind::NxDomain) {
                    return give_alias(qname, *candidate, ttl);
                }
                ttl = std::min(ttl, zone->soa()->ttl());
                continue;
            }
            const auto aged = find_outside(*candidate);
            if (!aged) return std::nullopt;
            if (aged->response->rcode() != Rcode::NxDomain)
                return give_alias(qname, *candidate, ttl);
            ttl = std::min(ttl, ttl_of(*aged, aged->response->lifetime()));
        }
        return std::nullopt;
    }

    std::optional<Name> give_alias(const Name& qname, const Name& target,
                                   std::uint32_t ttl) noexcept {
        context_.counters.completed.add();
        writer_.set_authoritative(false);  // no zone says so
        put(Section::Answer, qname, RrType::CNAME, ttl, target.octets());
        return target;
    }

    // A response of somebody else's, with the TTLs that are left. Where the chain comes back into a
    // zone of ours that knows better.
    Rcode give_outside(const Name& qname, const wire::AgedResponse& aged, bool is_whole,
                       Alias& alias) noexcept {
        const wire::Response& response = *aged.response;
        if (aged.is_stale) {
            explain(wire::ExtendedError::StaleAnswer, "age={}s stale for {}s", aged.age,
                    aged.stale_for);
        } else if (response.why()) {
            writer_.set_extended_error(*response.why(), response.text());
            kept_text_ = aged.response;
        } else if (context_.options.show_age) {
            explain(wire::ExtendedError::Other, "age={}s", aged.age);
        }
        const bool asks_for_it = query_.authentic_data || (query_.edns && query_.edns->dnssec_ok);
        if (is_whole && asks_for_it && response.authentic_data()) writer_.set_authentic_data();

        // The last RRset starts at any of its records: clients share the load by that.
        const std::size_t first = response.rotatable_at(), end = first + response.rotatable();
        const std::size_t start =
            response.rotatable() < 2
                ? first
                : first + draw_below(context_.random, static_cast<std::uint32_t>(end - first));
        bool fits = true;
        const auto pass = [&](std::size_t from, std::size_t to) {
            wire::Response::Records records(response);
            wire::Response::View record{};
            for (std::size_t i = 0; i < to && fits && records.next(record); ++i) {
                if (i < from) continue;
                const std::uint32_t ttl = ttl_of(aged, record.ttl);
                if (record.section == Section::Additional && ttl == 0)
                    continue;  // had less to live
                const Name owner = record.owner_at == 0 ? qname : response.owner(record);
                fits = put(record.section, owner, record.type, ttl, record.rdata);
                if (record.type != RrType::CNAME || query_.question->type == RrType::CNAME ||
                    query_.question->type == RrType::ANY)
                    continue;
                if (Name target = target_of(record.rdata); context_.zones.find(target) != nullptr) {
                    alias = target;
                    return;
                }
            }
        };
        pass(0, first);
        if (alias.leads_on) return Rcode::NoError;
        pass(start, end);
        pass(first, start);
        pass(end, SIZE_MAX);
        return response.rcode();
    }

    // RFC 8767 §4: what nobody has confirmed for longer than its TTL is stale. A sign comes each
    // second at best.
    void mark_if_stale(std::uint32_t ttl) noexcept {
        constexpr std::chrono::seconds between_signs(2);
        if (context_.silent_for <= std::chrono::seconds(ttl) + between_signs) return;
        explain(wire::ExtendedError::StaleAnswer, "nothing new for {}s",
                std::chrono::duration_cast<std::chrono::seconds>(context_.silent_for).count());
    }
    bool is_too_stale() noexcept {
        const Milliseconds most = context_.options.stale_max;
        if (most == Milliseconds(0) || context_.silent_for <= most) return false;
        writer_.set_extended_error(wire::ExtendedError::NoReachableAuthority,
                                   "the centre has been silent for too long");
        return true;
    }

    template <class... Args>
    void explain(wire::ExtendedError code, fmt::format_string<Args...> format,
                 Args&&... args) noexcept {
        const auto end = fmt::format_to_n(explanation_.data(), explanation_.size(), format,
                                          std::forward<Args>(args)...);
        writer_.set_extended_error(code,
                                   {explanation_.data(), std::min(end.size, explanation_.size())});
    }

    static Name target_of(std::span<const std::uint8_t> rdata) noexcept {
        return wire::Reader(rdata).name();
    }

    bool put(Section section, const Name& owner, RrType type, std::uint32_t ttl,
             std::span<const std::uint8_t> rdata) noexcept {
        ReplyWriter::RecordHead head(section, owner.octets(), type, ttl);
        return put(section, head, rdata);
    }
    bool put(Section section, ReplyWriter::RecordHead& head,
             std::span<const std::uint8_t> rdata) noexcept {
        const bool fits = writer_.add(head, rdata);
        if (!fits && section != Section::Additional) writer_.set_truncated();
        return fits;
    }

    void note(const RRset& rrset) const noexcept {
        if (rrset.mark() != nullptr) rrset.mark()->answered(context_.now, rrset.ttl());
    }

    // As many whole records as fit; only size sets TC. `owner_at`: where the owner stands in the
    // message already; 0: it is looked for.
    bool give(Section section, std::span<const std::uint8_t> owner, const RRset& rrset,
              std::size_t owner_at = 0) noexcept {
        const Drawing drawn(rrset, context_.transport, context_.random);
        note(rrset);
        mark_if_stale(rrset.ttl());
        const auto name_at = target_at(rrset.type());
        const bool keeps_targets = section == Section::Answer && name_at;
        ReplyWriter::RecordHead head(section, owner, rrset.type(), rrset.ttl());
        if (owner_at != 0) head.stands_at(owner_at);
        for (std::size_t i = 0; i < drawn.size(); ++i) {
            const std::span<const std::uint8_t> rdata = rrset.rdata(drawn[i]);
            if (!put(section, head, rdata)) return false;
            if (keeps_targets && target_count_ < targets_max)
                keep_target(rrset.type(), name_in(rdata, *name_at), rdata.size() - *name_at);
        }
        return true;
    }

    // The last record written names it, so many octets before its end.
    void keep_target(RrType type, std::span<const std::uint8_t> name, std::size_t to_end) noexcept {
        const std::size_t at = writer_.place().at - to_end;
        const bool is_whole = !wire::may_be_compressed(type) && ReplyWriter::can_point_to(at);
        targets_[target_count_++] = Target(name, is_whole ? at : 0);
    }

    void give_answer(const Zone& zone, const Name& qname, std::size_t qname_at,
                     const LookupResult& found) noexcept {
        // RFC 8482 §4.1: one RRset is answer enough to ANY.
        const RRset& rrset = found.rrset != nullptr ? *found.rrset : *found.node->rrsets().front();
        if (!give(Section::Answer, qname.octets(), rrset, qname_at) || target_count_ == 0) return;
        tree::LookAhead ahead;
        for (const Target& target : std::span(targets_).first(target_count_))
            ahead.add(context_.zones, target.name(), RrType::A);
        ahead.fetch();
        give_targets(zone, qname, rrset, ahead);
    }

    // RFC 1034 §4.3.2, step 6: the addresses of those whom the answer names.
    void give_targets(const Zone& zone, const Name& qname, const RRset& rrset,
                      const tree::LookAhead& ahead) noexcept {
        // RFC 9460 §2.5.2: a service that names nobody else is at its owner.
        const bool may_be_here = rrset.type() == RrType::SVCB || rrset.type() == RrType::HTTPS;
        for (std::size_t i = 0; i < target_count_; ++i) {
            const bool is_here = may_be_here && targets_[i].octets == 1;
            const Target holder = is_here ? Target(qname.octets(), 0) : targets_[i];
            // A zone's own servers may be below one of its cuts (RFC 9609 §4.1: the root's are).
            const Node* node = rrset.type() == RrType::NS ? find_glue(zone, holder.name())
                               : is_here                  ? find_addresses(holder.name())
                                         : find_addresses(holder.name(), *ahead[i]);
            if (is_repeated(i, node) || node == nullptr) continue;
            if (!give_addresses(holder.name(), *node, holder.at)) break;
            // RFC 9460 §4.1: and, where that is somebody else, what it says of itself.
            const RRset* further = may_be_here && !is_here ? node->find(rrset.type()) : nullptr;
            if (further != nullptr && !give_whole(holder.name(), *further, holder.at)) break;
        }
    }

    // Whether an earlier target is the same; one wildcard may be the node of many.
    bool is_repeated(std::size_t i, const Node* node) noexcept {
        nodes_[i] = node;
        for (std::size_t earlier = 0; earlier < i; ++earlier) {
            if (nodes_[earlier] == node &&
                wire::equal_names(targets_[earlier].name(), targets_[i].name())) {
                return true;
            }
        }
        return false;
    }

    // Whose addresses are the name's, for certain: neither glue nor another name's.
    const Node* find_addresses(std::span<const std::uint8_t> name) const noexcept {
        const Zone* zone = context_.zones.find(name);
        if (zone == nullptr) return nullptr;
        const LookupResult found = look_up(*zone, target_of(name), RrType::A);
        return found.kind == LookupResult::Kind::Answer || found.kind == LookupResult::Kind::NoData
                   ? found.node
                   : nullptr;
    }
    const Node* find_addresses(std::span<const std::uint8_t> name,
                               const tree::LookAhead::Found& ahead) const noexcept {
        if (ahead.zone == nullptr) return nullptr;
        if (ahead.node == nullptr || !ahead.zone->is_all_ours()) return find_addresses(name);
        return ahead.node->find(RrType::CNAME) == nullptr ? ahead.node : nullptr;
    }

    bool give_addresses(std::span<const std::uint8_t> owner, const Node& node,
                        std::size_t owner_at = 0) noexcept {
        for (const RrType type : {RrType::A, RrType::AAAA}) {
            const RRset* addresses = node.find(type);
            if (addresses != nullptr && !give_whole(owner, *addresses, owner_at)) return false;
        }
        return true;
    }

    // Half of an additional RRset would be taken for all of it (RFC 2181 §5, §9).
    bool give_whole(std::span<const std::uint8_t> owner, const RRset& rrset,
                    std::size_t owner_at) noexcept {
        const ReplyWriter::Place before = writer_.place();
        if (give(Section::Additional, owner, rrset, owner_at)) return true;
        writer_.roll_back(before);
        return false;
    }

    // RFC 2308 §3: negative answers carry the SOA with the lesser of its TTL and MINIMUM.
    void give_soa(const Zone& zone) noexcept {
        const RRset& soa = *zone.soa();
        const std::span<const std::uint8_t> rdata = soa.rdata(0);
        wire::Reader minimum(rdata.last(4));
        const std::uint32_t ttl = std::min(soa.ttl(), minimum.u32());
        mark_if_stale(ttl);
        put(Section::Authority, zone.apex(), RrType::SOA, ttl, rdata);
    }

    // RFC 9471 §3: without the addresses of those servers that are below the cut a referral is
    // truncated; the others' come after them, as far as there is room.
    void give_referral(const Zone& zone, const RRset& ns, const Node& cut) noexcept {
        if (!give(Section::Authority, cut.name_octets(), ns)) return;
        for (const bool in_domain : {true, false}) {
            for (std::size_t i = 0; i < ns.size(); ++i) {
                const Name server = target_of(ns.rdata(i));
                if (server.is_at_or_below(cut.owner()) != in_domain) continue;
                const Node* node = find_glue(zone, ns.rdata(i));
                if (node == nullptr || give_addresses(ns.rdata(i), *node)) continue;
                if (in_domain) writer_.set_truncated();
                return;
            }
        }
    }

    // RFC 1034 §4.3.2 step 3b: glue where there is nothing authoritative.
    const Node* find_glue(const Zone& zone, std::span<const std::uint8_t> server) const noexcept {
        const Node* node = find_addresses(server);
        return node == nullptr && target_of(server).is_at_or_below(zone.apex()) ? zone.find(server)
                                                                                : node;
    }

    const Query& query_;
    const AnswerContext& context_;
    const bool may_recurse_;
    ReplyWriter& writer_;
    std::shared_ptr<const wire::Response> kept_text_;  // the writer looks into it until the end
    std::unique_ptr<wire::RecursiveQuestion> wanted_;
    std::array<char, 64> explanation_;
    const Zone* zone_asked_ = nullptr;
    const Node* node_asked_ = nullptr;
    std::array<const RRset*, aliases_followed_max + 1> dnames_{};  // by their place in the chain
    // A name in the answer's RDATA, and where it stands whole in the message; 0: nowhere.
    struct Target {
        Target() noexcept = default;  // means nothing
        Target(std::span<const std::uint8_t> its_name, std::size_t its_place) noexcept
            : first(its_name.data()),
              octets(static_cast<std::uint16_t>(its_name.size())),
              at(static_cast<std::uint16_t>(its_place)) {}
        std::span<const std::uint8_t> name() const noexcept { return {first, octets}; }

        const std::uint8_t* first;
        std::uint16_t octets, at;
    };
    // The first target_count_ are meant: the others are never touched.
    std::array<Target, targets_max> targets_;
    std::array<const Node*, targets_max> nodes_;  // those found for them
    std::size_t target_count_ = 0;
};

Rcode refuse(ReplyWriter& writer, wire::ExtendedError why) noexcept {
    writer.set_extended_error(why, {});
    return Rcode::Refused;
}

Rcode not_implemented(ReplyWriter& writer) noexcept {
    writer.set_extended_error(wire::ExtendedError::NotSupported, {});
    return Rcode::NotImp;
}

// RFC 4892: who this server says it is.
Rcode answer_chaos(const Query& query, const AnswerOptions& options, ReplyWriter& writer) noexcept {
    static constexpr std::string_view version_names[] = {"\7version\6server", "\7version\4bind"};
    static constexpr std::string_view id_names[] = {"\2id\6server", "\10hostname\4bind"};
    const std::span<const std::uint8_t> octets = query.question->name.octets();
    const std::string_view name(reinterpret_cast<const char*>(octets.data()), octets.size() - 1);
    const auto is_name = [&](std::string_view known) { return equal_ignoring_case(name, known); };
    const std::string* text = nullptr;
    if (std::ranges::any_of(version_names, is_name)) text = &options.version;
    if (std::ranges::any_of(id_names, is_name)) text = &options.server_id;
    if (text == nullptr || text->empty() || query.question->type != RrType::TXT)
        return refuse(writer, wire::ExtendedError::NotAuthoritative);
    std::array<std::uint8_t, 256> rdata;
    const std::size_t size = std::min<std::size_t>(text->size(), 255);
    rdata[0] = static_cast<std::uint8_t>(size);
    std::copy_n(text->begin(), size, rdata.begin() + 1);
    writer.set_authoritative(true);
    writer.add(Section::Answer, query.question->name, RrType::TXT, 0,
               std::span(rdata).first(size + 1), wire::RrClass::CH);
    return Rcode::NoError;
}

// What the query's cookie says about its client; nothing: it has none, or none that is well-formed.
std::optional<CookieVerdict> judge_cookie(const Query& query,
                                          const AnswerContext& context) noexcept {
    if (context.cookies == nullptr || !query.edns || !query.edns->has_cookie ||
        !is_cookie_size(query.edns->cookie.size())) {
        return std::nullopt;
    }
    return context.cookies->judge(query.edns->cookie, context.client, context.now);
}

// Whether the client is where it says it is: over UDP, by its cookie or its signature.
bool is_where_it_says(const AnswerContext& context,
                      const std::optional<CookieVerdict>& cookie) noexcept {
    return context.transport == Transport::Tcp || context.octets_kept > 0 ||
           (cookie && cookie->is_valid);
}

// RFC 7873 §5.2: BADCOOKIE where a cookie is understood; others are sent to TCP, which asks for
// none.
Rcode ask_for_cookie(bool has_cookie, ReplyWriter& writer) noexcept {
    if (has_cookie) return Rcode::BadCookie;
    writer.set_truncated();
    return Rcode::NoError;
}

// What of a query needs no name: nothing where the name decides.
std::optional<Rcode> judge(const Query& query, const AnswerContext& context,
                           const std::optional<CookieVerdict>& cookie,
                           ReplyWriter& writer) noexcept {
    if (query.edns && query.edns->version != 0) return Rcode::BadVers;
    if (query.opcode != wire::Opcode::Query) return not_implemented(writer);
    if (query.edns && query.edns->sets_zone_version) return Rcode::FormErr;
    // RFC 7828 §3.3.1: over UDP the option means nothing, whatever is in it.
    if (query.edns && query.edns->sets_keepalive && context.transport == Transport::Tcp)
        return Rcode::FormErr;
    if (query.edns && query.edns->has_cookie && !is_cookie_size(query.edns->cookie.size()))
        return Rcode::FormErr;  // RFC 7873 §5.2.2
    if (context.options.require_cookies && !is_where_it_says(context, cookie))
        return ask_for_cookie(cookie.has_value(), writer);
    if (query.question->rr_class == wire::RrClass::CH)
        return answer_chaos(query, context.options, writer);
    if (query.question->rr_class != wire::RrClass::IN)
        return refuse(writer, wire::ExtendedError::NotAuthoritative);
    const RrType type = query.question->type;
    if (type == RrType::AXFR || type == RrType::IXFR)
        return refuse(writer, wire::ExtendedError::Prohibited);
    // Types of messages, not of questions (RFC 6891 §6.1.1, RFC 8945 §5.1).
    if (type == RrType::OPT || type == RrType::TSIG) return Rcode::FormErr;
    if (type != RrType::ANY && wire::is_query_only(type)) return not_implemented(writer);
    return std::nullopt;
}

// What the options of the query ask for.
void tell(const Query& query, const AnswerContext& context, const Zone* zone,
          ReplyWriter& writer) noexcept {
    if (!query.edns) return;
    const Milliseconds timeout = context.options.tcp_idle_timeout;
    if (query.edns->asks_keepalive && context.transport == Transport::Tcp &&
        timeout > Milliseconds(0)) {
        writer.set_keepalive(static_cast<std::uint16_t>(
            std::min<std::int64_t>(timeout / Milliseconds(100), UINT16_MAX)));
    }
    if (query.edns->asks_zone_version && zone != nullptr) {
        // The serial stands behind two names and in front of four more numbers.
        wire::Reader serial(zone->soa()->rdata(0).last(20));
        writer.set_zone_version(static_cast<std::uint8_t>(zone->apex().label_count()),
                                serial.u32());
    }
}

// What becomes of a response under the rate limits: false: it is dropped. One that is sent cut
// short lets its client come back over TCP or, where it understands them, with a cookie.
bool limit_rate(const AnswerContext& context, const ResponseKind& kind, bool has_cookie,
                const ReplyWriter::Place& start, ReplyWriter& writer, Rcode& rcode) noexcept {
    switch (context.rates->judge(context.client, kind, context.now)) {
        case RateLimiter::Verdict::Send:
            break;
        case RateLimiter::Verdict::Drop:
            context.counters.rate_dropped.add();
            return false;
        case RateLimiter::Verdict::Slip:
            context.counters.rate_slipped.add();
            writer.roll_back(start);
            writer.set_authoritative(false);
            rcode = ask_for_cookie(has_cookie, writer);
            break;
    }
    return true;
}

std::size_t limit_for(const Query& query, const AnswerContext& context, std::size_t room) noexcept {
    std::size_t limit = room;
    if (context.transport == Transport::Udp) {
        const std::size_t wanted = query.edns ? query.edns->udp_payload_octets : 512;
        limit = std::min(
            {wanted, std::max<std::size_t>(context.options.udp_payload_octets_max, 512), room});
    }
    // The question and an OPT RR always have their place, however long the name of a TSIG key is.
    constexpr std::size_t least = 330;
    return std::max(least, limit - std::min(limit, context.octets_kept));
}

}  // namespace

Outcome answer(std::span<const std::uint8_t> octets, const AnswerContext& context,
               std::span<std::uint8_t> reply) noexcept {
    AnswerCounters& counters = context.counters;
    const auto decoded = wire::decode_query(octets);
    if (!decoded && decoded.error().reply == wire::BadQuery::Reply::Silence) {
        counters.silent.add();
        return {};
    }
    const Query& query = decoded ? *decoded : decoded.error().header;
    ReplyWriter writer(query, reply, limit_for(query, context, reply.size()));
    const ReplyWriter::Place start = writer.place();
    const std::optional<CookieVerdict> cookie = judge_cookie(query, context);
    if (cookie) {
        writer.set_cookie(cookie->reply);
        if (!cookie->is_valid && query.edns->cookie.size() > 8) counters.bad_cookies.add();
    }
    std::optional<Rcode> rcode = decoded ? judge(query, context, cookie, writer) : Rcode::FormErr;
    const bool is_recursive =
        context.recursion != nullptr && context.recursion->is_available() &&
        std::ranges::any_of(context.options.recursion_allow, [&](const Network& allowed) {
            return allowed.contains(context.client);
        });
    if (is_recursive) writer.set_recursion_available();
    // Lives until the writer is done.
    Answering answering(query, context, is_recursive && query.recursion_desired, writer);
    const bool is_judged = rcode.has_value();
    if (!is_judged) {
        rcode = answering.answer();
        if (auto wanted = answering.take_wanted()) return {0, std::move(wanted)};
    }
    counters.queries.add();
    if (!decoded) counters.malformed.add();
    if (context.rates != nullptr && !is_where_it_says(context, cookie)) {
        const ResponseKind kind = is_judged ? ResponseKind{} : answering.kind(*rcode);
        if (!limit_rate(context, kind, cookie.has_value(), start, writer, *rcode)) return {};
    }
    tell(query, context, *rcode != Rcode::ServFail ? answering.zone_asked() : nullptr, writer);
    writer.set_rcode(*rcode);
    counters.by_rcode[static_cast<std::size_t>(*rcode)].add();
    const std::string& nsid = context.options.nsid;
    if (writer.is_truncated()) counters.truncated.add();
    return {writer.finish(context.options.udp_payload_octets_max,
                          {reinterpret_cast<const std::uint8_t*>(nsid.data()), nsid.size()})};
}

}  // namespace dnsd::nameserver
