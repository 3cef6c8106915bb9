// Any octets as an UPDATE of example.org: what is decoded is a change of that zone, whose data are
// what their types say; and there is a reply that decodes and echoes the id.
#include "base/assert.h"
#include "dnsd/transfer/reply.h"
#include "dnsd/transfer/update.h"
#include "zone/wire/rdata.h"

using namespace dnsd;
using namespace dnsd::transfer;

namespace {

struct Kept final : Answerer {
    std::vector<std::uint8_t> message;
    void send(std::vector<std::uint8_t> octets, bool, std::function<void(bool)>) override {
        message = std::move(octets);
    }
};

void check_records(wire::RrType type, const registry::RdataList& records) {
    DNSD_ASSERT(!wire::is_query_only(type));
    for (const auto& rdata : records) DNSD_ASSERT(wire::decode_rdata(type, rdata) == rdata);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span octets(data, size);
    if (size < wire::header_octets || size > 65'535) return 0;
    static const wire::Name example = *wire::Name::parse("example.org");
    const auto zone = decode_update_zone(octets);
    const auto update = decode_update(octets, zone ? zone->name : example);
    ShortReply reply{.is_authoritative = true};
    if (!update) {
        DNSD_ASSERT(update.error().rcode != wire::Rcode::NoError && !update.error().text.empty());
        reply.rcode = update.error().rcode;
        reply.text = update.error().text;
    } else if (zone) {
        for (const registry::Prerequisite& each : update->prerequisites) {
            DNSD_ASSERT(each.owner.is_at_or_below(zone->name));
            DNSD_ASSERT((each.kind == registry::Prerequisite::Kind::RRsetEquals) ==
                        !each.records.empty());
            check_records(each.type, each.records);
        }
        for (const registry::RecordEdit& each : update->edits) {
            DNSD_ASSERT(each.owner.is_at_or_below(zone->name));
            DNSD_ASSERT(each.ttl <= 0x7fff'ffff);
            check_records(each.type, each.records);
        }
    }
    for (const bool is_tcp : {false, true}) {
        const auto kept = std::make_shared<Kept>();
        Message message{{data, data + size}, {}, is_tcp, {}, kept};
        answer(message, reply, WallTime(Milliseconds(1)));
        const auto decoded = wire::decode_message(kept->message);
        DNSD_ASSERT(decoded && decoded->is_response() && decoded->id == (data[0] << 8 | data[1]));
        DNSD_ASSERT(decoded->rcode() == reply.rcode);
    }
    return 0;
}
