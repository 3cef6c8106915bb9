// Bodies of the API: whatever is read is valid, prints, and reads back as the same.
#include <cstdlib>

#include "dnsd/api/codec.h"
#include "dnsd/api/record_sets.h"

using namespace dnsd;
using namespace dnsd::api;

namespace {

// A record set that is read prints, and reads back as the same; a batch comes to an edit each.
void check_record_sets(std::string_view body, const wire::Name& apex) {
    for (const wire::RrType type : {wire::RrType::A, wire::RrType::TXT, wire::RrType::SVCB}) {
        const auto set = decode_record_set(body, apex, type, apex, 5);
        if (!set) continue;
        std::vector<tree::Rdata> records;
        for (const auto& octets : set->records) records.push_back({octets});
        const tree::RRset rrset(type, set->ttl, std::move(records));
        const auto again = decode_record_set(print(apex, rrset, apex), apex, type, apex, 5);
        if (!again || again->records.size() != rrset.size()) std::abort();
    }
    if (const auto changes = decode_record_set_changes(body, apex, 5)) {
        const auto planned = plan(*changes, registry::Namespace(), *tree::Zone::make(apex));
        if (planned && planned->edits.size() != changes->size()) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view body(reinterpret_cast<const char*>(data), size);
    const model::Defaults defaults = model::fast_defaults();
    (void)decode_instances(body);
    (void)decode_health(body);
    const wire::Name apex = *wire::Name::parse("example.org");
    if (const auto key = decode_key(body, apex); key && key->secret.size() > 512) std::abort();
    check_record_sets(body, apex);
    if (const auto spec = decode_namespace(body, "example.org", defaults)) {
        registry::Namespace within;
        within.spec = *spec;
        const auto again = decode_namespace(print(within), "example.org", defaults);
        if (!again || *again != *spec) std::abort();
    }
    if (const auto spec = decode_service(body, "example.org", "web", defaults)) {
        registry::Service service;
        service.spec = *spec;
        if (!decode_service(print(registry::Namespace(), service), "example.org", "web", defaults))
            std::abort();
    }
    if (const auto spec = decode_instance(body, "i-1")) {
        model::Instance instance;
        instance.spec = *spec;
        const auto again = decode_instance(print(instance), "i-1");
        if (!again || *again != *spec) std::abort();
    }
    return 0;
}
