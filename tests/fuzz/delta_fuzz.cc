// Any text as what a centre streams: what is read can be taken over or is refused, and what was
// taken over is printed and read back.
#include "base/assert.h"
#include "zone/registry/delta.h"
#include "zone/registry/draft.h"

using namespace dnsd;
using namespace dnsd::registry;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto delta = parse_delta({reinterpret_cast<const char*>(data), size});
    if (!delta) return 0;
    DNSD_ASSERT(parse_delta(print(*delta)));
    delta->is_whole = true;
    const Infrastructure nothing_made_up;
    Draft draft(std::make_shared<const State>(),
                {.surely_safe_after = {}, .infrastructure = nothing_made_up}, WallTime{});
    const auto outcome = draft.apply(
        Change{Follow{std::make_shared<const Delta>(*delta), "fuzz"}, {}, false}, WallTime{});
    DNSD_ASSERT(!outcome || draft.state().revision == delta->revision);
    return 0;
}
