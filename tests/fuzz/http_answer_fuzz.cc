// The answer to a probe, from anybody: in pieces, with and without a wanted body.
#include <cstdlib>

#include "healthcheck/http_answer.h"

using dnsd::health::HttpAnswer;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::string_view octets(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t step = data[0] % 64 + 1u;
    HttpAnswer answer({200, 399, data[0] & 0x80 ? "ok" : ""});
    for (std::size_t at = 0; at < octets.size(); at += step) {
        if (answer.read(octets.substr(at, step))) return 0;
    }
    if (!answer.read("")) std::abort();  // the end always brings a judgement
    return 0;
}
