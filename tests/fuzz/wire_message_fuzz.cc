// Any octets: what is decoded as a query decodes as a message too, and says the same.
#include "base/assert.h"
#include "zone/wire/message.h"

using namespace dnsd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span octets(data, size);
    const auto message = wire::decode_message(octets);
    const auto query = wire::decode_query(octets);
    if (query && query->question) {
        DNSD_ASSERT(message && message->questions.size() == 1);
        DNSD_ASSERT(message->questions[0].name == query->question->name);
    }
    return 0;
}
