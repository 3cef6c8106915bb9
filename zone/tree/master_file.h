// Master files (RFC 1035 §5; $TTL: RFC 2308 §4; unknown types and classes: RFC 3597), read whole
// and written so that they read back the same. $INCLUDE is refused: a zone comes in one piece, from
// whoever sent it. Pure; any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "zone/tree/zone.h"

namespace dnsd::tree {

// Where it is in the text, from 1 on; the column in octets. 0: the file as a whole.
struct FilePosition {
    unsigned line = 0, column = 0;
};
struct FileProblem {
    FilePosition at;
    std::string what;  // one sentence
};

struct MasterFile {
    std::shared_ptr<const Zone> zone;  // null: there are errors
    std::vector<FileProblem> errors;   // the first `problems_max` of them, in the file's order
    std::vector<FileProblem> warnings;
    bool is_cut = false;  // there were more problems than are listed
};
constexpr std::size_t problems_max = 100;

// The zone that the text describes, and what check() finds in it, each at its line. Relative names
// go on with $ORIGIN, at first `apex`. An RRset whose TTLs differ gets the least (RFC 2181 §5.2),
// with a warning.
MasterFile parse_master_file(std::string_view text, const wire::Name& apex);

// In canonical order, the SOA first, a record a line, names absolute, preceded by $ORIGIN and
// nothing else. Of an RRset that is drawn by weight, the records that a transfer would hold.
// `write` takes it piece by piece.
void print_master_file(const Zone& zone, const std::function<void(std::string_view)>& write);

}  // namespace dnsd::tree
