// Bodies of the API: whatever is read is valid, prints, and reads back as the same.
#include <cstdlib>

#include "dnsd/api/codec.h"

using namespace dnsd;
using namespace dnsd::api;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view body(reinterpret_cast<const char*>(data), size);
    const model::Defaults defaults = model::fast_defaults();
    (void)decode_instances(body);
    (void)decode_health(body);
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
