// Any messages as what a primary of example.org answers: a zone whose names are all its own and
// whose SOA is the one that it was said to have, or an error. The first octet chooses what was
// asked; each message follows its length (two octets), as over TCP, and needs no right id.
#include "base/assert.h"
#include "dnsd/transfer/incoming_transfer.h"
#include "dnsd/transfer/secondary_timers.h"
#include "zone/tree/difference.h"
#include "zone/wire/rdata.h"

using namespace dnsd;
using namespace dnsd::transfer;
using wire::RrType;

namespace {

std::shared_ptr<const tree::RRset> rrset(RrType type, std::initializer_list<const char*> texts) {
    std::vector<tree::Rdata> records;
    for (const char* text : texts)
        records.push_back({*wire::parse_rdata(type, text, wire::Name())});
    return std::make_shared<const tree::RRset>(type, 300, std::move(records));
}

std::shared_ptr<const tree::Zone> held() {
    const wire::Name apex = *wire::Name::parse("example.org");
    tree::ZoneEdit edit(tree::Zone::make(apex));
    edit.set(apex,
             rrset(RrType::SOA, {"ns.example.org. hostmaster.example.org. 1 3600 600 86400 60"}));
    edit.set(apex, rrset(RrType::NS, {"ns.example.org."}));
    edit.set(*wire::Name::parse("www.example.org"), rrset(RrType::A, {"192.0.2.1", "192.0.2.2"}));
    edit.set(*wire::Name::parse("a.b.example.org"), rrset(RrType::TXT, {"\"x\""}));
    return edit.finish();
}

void check_zone(const tree::Zone& zone, std::uint32_t serial) {
    const auto timers = soa_timers(zone);
    DNSD_ASSERT(timers && timers->serial == serial);
    std::size_t count = 0;
    zone.for_each([&](const tree::Node& node) {
        ++count;
        DNSD_ASSERT(node.owner().is_at_or_below(zone.apex()));
        for (const auto& set : node.rrsets()) {
            DNSD_ASSERT(set->size() > 0 && set->ttl() <= 0x7fff'ffff);
            for (std::size_t i = 0; i < set->size(); ++i)
                DNSD_ASSERT(wire::decode_rdata(set->type(), set->rdata(i)).has_value());
        }
    });
    DNSD_ASSERT(count == zone.node_count());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto ours = held();
    static const std::uint64_t sum = tree::content_sum(*ours);
    if (size == 0) return 0;
    const bool is_ixfr = (data[0] & 1) != 0;
    IncomingTransfer incoming(ours->apex(), 0, is_ixfr ? ours : nullptr,
                              {.octets_max = 50'000, .records_max = 1'000});
    for (std::size_t at = 1; size - at >= 2;) {
        const std::size_t length = std::size_t{data[at]} << 8 | data[at + 1];
        at += 2;
        if (size - at < length) return 0;
        std::vector<std::uint8_t> message(data + at, data + at + length);
        at += length;
        if (message.size() >= 2) message[0] = message[1] = 0;
        const auto progress = incoming.take(message);
        if (!progress) {
            DNSD_ASSERT(!progress.error().text.empty());
            break;
        }
        if (*progress == IncomingTransfer::Progress::More) continue;
        const IncomingTransfer::Outcome outcome = incoming.finish();
        DNSD_ASSERT((outcome.kind == IncomingTransfer::Kind::None) == (outcome.zone == nullptr));
        DNSD_ASSERT(is_ixfr || outcome.kind == IncomingTransfer::Kind::Whole);
        DNSD_ASSERT(outcome.octets <= 50'000 && outcome.records <= 1'000);
        if (outcome.zone) check_zone(*outcome.zone, outcome.serial);
        break;
    }
    DNSD_ASSERT(tree::content_sum(*ours) == sum);  // what is here does not change under anybody
    return 0;
}
