#include "dnsd/nameserver/answer.h"

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
constexpr std::size_t targets_max = 64;  // SRV targets whose addresses are added

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
        return sampled_ ? picked_[i] : (start_ + i) % total_;
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
        for (std::size_t i = 0; i < size_; ++i) {
            const std::size_t other = i + draw_below(random, static_cast<std::uint32_t>(all - i));
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
    Answering(const Query& query, const AnswerContext& context, ReplyWriter& writer) noexcept
        : query_(query), context_(context), writer_(writer) {}

    Rcode answer() noexcept {
        Name qname = query_.question->name;
        std::array<Name, aliases_followed_max + 1> met;  // the aliases on the way
        for (unsigned aliases = 0;; ++aliases) {
            const Zone* zone = find_zone(qname);
            // Out of our zones: at the start that is refused, in a chain the client goes on (RFC
            // 1034 §4.3.2).
            if (zone == nullptr || zone->soa() == nullptr)
                return aliases == 0 ? Rcode::Refused : Rcode::NoError;
            const LookupResult found = tree::lookup(*zone, qname, query_.question->type);
            if (aliases == 0) writer_.set_authoritative(found.kind != LookupResult::Kind::Referral);
            switch (found.kind) {
                case LookupResult::Kind::Answer:
                    return give_answer(qname, found);
                case LookupResult::Kind::NoData:
                    give_soa(*zone);
                    return Rcode::NoError;
                case LookupResult::Kind::NxDomain:
                    give_soa(*zone);
                    return Rcode::NxDomain;
                case LookupResult::Kind::Referral:
                    give_referral(*zone, *found.rrset, *found.node);
                    return Rcode::NoError;
                case LookupResult::Kind::Cname:
                    if (!give(Section::Answer, qname, *found.rrset)) return Rcode::NoError;
                    met[aliases] = std::exchange(qname, target_of(found.rrset->rdata(0)));
                    break;
                case LookupResult::Kind::Dname: {
                    if (!give(Section::Answer, found.node->owner(), *found.rrset))
                        return Rcode::NoError;
                    const auto redirected =
                        qname.with_suffix(found.node->owner(), target_of(found.rrset->rdata(0)));
                    if (!redirected) return Rcode::YxDomain;  // RFC 6672 §2.2
                    if (!put(Section::Answer, qname, RrType::CNAME, found.rrset->ttl(),
                             redirected->octets())) {
                        return Rcode::NoError;
                    }
                    met[aliases] = std::exchange(qname, *redirected);
                    break;
                }
            }
            const auto end = met.begin() + aliases + 1;
            if (aliases == aliases_followed_max || std::find(met.begin(), end, qname) != end)
                return Rcode::NoError;  // too far, or round in a circle
        }
    }

  private:
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

    static Name target_of(std::span<const std::uint8_t> rdata) noexcept {
        return wire::Reader(rdata).name();
    }

    bool put(Section section, const Name& owner, RrType type, std::uint32_t ttl,
             std::span<const std::uint8_t> rdata) noexcept {
        const bool fits = writer_.add(section, owner, type, ttl, rdata);
        if (!fits && section != Section::Additional) writer_.set_truncated();
        return fits;
    }

    void note(const RRset& rrset) const noexcept {
        if (rrset.mark() != nullptr) rrset.mark()->answered(context_.now, rrset.ttl());
    }

    // As many whole records as fit; only size sets TC.
    bool give(Section section, const Name& owner, const RRset& rrset) noexcept {
        const Drawing drawn(rrset, context_.transport, context_.random);
        note(rrset);
        for (std::size_t i = 0; i < drawn.size(); ++i) {
            const std::span<const std::uint8_t> rdata = rrset.rdata(drawn[i]);
            if (!put(section, owner, rrset.type(), rrset.ttl(), rdata)) return false;
            if (rrset.type() == RrType::SRV && section == Section::Answer &&
                target_count_ < targets_max) {
                targets_[target_count_++] =
                    rdata.subspan(6);  // RFC 2782: behind priority, weight, port
            }
        }
        return true;
    }

    Rcode give_answer(const Name& qname, const LookupResult& found) noexcept {
        // RFC 8482 §4.1: one RRset is answer enough to ANY.
        const RRset& rrset = found.rrset != nullptr ? *found.rrset : *found.node->rrsets().front();
        if (!give(Section::Answer, qname, rrset)) return Rcode::NoError;
        for (std::size_t i = 0; i < target_count_; ++i) {
            if (!give_addresses(target_of(targets_[i]))) break;
        }
        return Rcode::NoError;
    }

    bool give_addresses(const Name& target) noexcept {
        const Zone* zone = context_.zones.find(target);
        if (zone == nullptr) return true;
        const LookupResult found = tree::lookup(*zone, target, RrType::A);
        if (found.node == nullptr) return true;
        for (const RrType type : {RrType::A, RrType::AAAA}) {
            const RRset* addresses = found.node->find(type);
            if (addresses != nullptr && !give(Section::Additional, target, *addresses))
                return false;
        }
        return true;
    }

    // RFC 2308 §3: negative answers carry the SOA with the lesser of its TTL and MINIMUM.
    void give_soa(const Zone& zone) noexcept {
        const RRset& soa = *zone.soa();
        const std::span<const std::uint8_t> rdata = soa.rdata(0);
        wire::Reader minimum(rdata.last(4));
        put(Section::Authority, zone.apex(), RrType::SOA, std::min(soa.ttl(), minimum.u32()),
            rdata);
    }

    void give_referral(const Zone& zone, const RRset& ns, const Node& cut) noexcept {
        if (!give(Section::Authority, cut.owner(), ns)) return;
        for (std::size_t i = 0; i < ns.size(); ++i) {
            const Name server = target_of(ns.rdata(i));
            const Node* glue = server.is_at_or_below(zone.apex()) ? zone.find(server) : nullptr;
            if (glue == nullptr) continue;
            for (const RrType type : {RrType::A, RrType::AAAA}) {
                const RRset* addresses = glue->find(type);
                if (addresses == nullptr || give(Section::Additional, server, *addresses)) continue;
                if (server.is_at_or_below(cut.owner())) writer_.set_truncated();  // RFC 9471 §3
                return;
            }
        }
    }

    const Query& query_;
    const AnswerContext& context_;
    ReplyWriter& writer_;
    std::array<std::span<const std::uint8_t>, targets_max> targets_;
    std::size_t target_count_ = 0;
};

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
        return Rcode::Refused;
    std::array<std::uint8_t, 256> rdata;
    const std::size_t size = std::min<std::size_t>(text->size(), 255);
    rdata[0] = static_cast<std::uint8_t>(size);
    std::copy_n(text->begin(), size, rdata.begin() + 1);
    writer.set_authoritative(true);
    writer.add(Section::Answer, query.question->name, RrType::TXT, 0,
               std::span(rdata).first(size + 1), wire::RrClass::CH);
    return Rcode::NoError;
}

Rcode rcode_of(const Query& query, const AnswerContext& context, ReplyWriter& writer) noexcept {
    if (query.opcode != wire::Opcode::Query) return Rcode::NotImp;
    if (query.edns && query.edns->version != 0) return Rcode::BadVers;
    if (query.question->rr_class == wire::RrClass::CH)
        return answer_chaos(query, context.options, writer);
    if (query.question->rr_class != wire::RrClass::IN) return Rcode::Refused;
    const RrType type = query.question->type;
    if (type == RrType::AXFR || type == RrType::IXFR) return Rcode::Refused;
    if (type != RrType::ANY && wire::is_query_only(type)) return Rcode::NotImp;
    return Answering(query, context, writer).answer();
}

std::size_t limit_for(const Query& query, const AnswerContext& context, std::size_t room) noexcept {
    if (context.transport == Transport::Tcp) return room;
    const std::size_t wanted = query.edns ? query.edns->udp_payload_octets : 512;
    return std::min(
        {wanted, std::max<std::size_t>(context.options.udp_payload_octets_max, 512), room});
}

}  // namespace

std::size_t answer(std::span<const std::uint8_t> octets, const AnswerContext& context,
                   std::span<std::uint8_t> reply) noexcept {
    AnswerCounters& counters = context.counters;
    const auto decoded = wire::decode_query(octets);
    if (!decoded && decoded.error().reply == wire::BadQuery::Reply::Silence) {
        counters.silent.add();
        return 0;
    }
    counters.queries.add();
    const Query& query = decoded ? *decoded : decoded.error().header;
    ReplyWriter writer(query, reply, limit_for(query, context, reply.size()));
    const Rcode rcode = decoded ? rcode_of(query, context, writer) : Rcode::FormErr;
    if (!decoded) counters.malformed.add();
    writer.set_rcode(rcode);
    counters.by_rcode[static_cast<std::size_t>(rcode) & 15].add();
    const std::string& nsid = context.options.nsid;
    if (writer.is_truncated()) counters.truncated.add();
    return writer.finish(context.options.udp_payload_octets_max,
                         {reinterpret_cast<const std::uint8_t*>(nsid.data()), nsid.size()});
}

}  // namespace dnsd::nameserver
