// Text -> zone -> text -> the same zone. The first line is the origin.
#include <cstdlib>
#include <string>

#include "zone/tree/difference.h"
#include "zone/tree/master_file.h"

using namespace dnsd;
using namespace dnsd::tree;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t end = input.find('\n');
    if (end == input.npos) return 0;
    const auto apex = wire::Name::parse(input.substr(0, end));
    if (!apex) return 0;
    const MasterFile file = parse_master_file(input.substr(end + 1), *apex);
    if ((file.zone == nullptr) == file.errors.empty()) std::abort();
    if (file.zone == nullptr) return 0;
    std::string text;
    print_master_file(*file.zone, [&](std::string_view piece) { text += piece; });
    const MasterFile again = parse_master_file(text, *apex);
    if (again.zone == nullptr) std::abort();
    for_each_change(*file.zone, *again.zone,
                    [](const Node&, wire::RrType, const RRset*, const RRset*) { std::abort(); });
    return 0;
}
