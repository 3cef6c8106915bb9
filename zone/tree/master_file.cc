#include "zone/tree/master_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <numeric>
#include <optional>
#include <tuple>

#include "base/text.h"
#include "zone/tree/check.h"
#include "zone/wire/rdata.h"

namespace dnsd::tree {

namespace {

using wire::Name;
using wire::RrType;

constexpr std::uint64_t ttl_max = 0x7fff'ffff;  // RFC 2181 §8
constexpr std::size_t records_max = 65'535;     // of one RRset: what a message can count
constexpr std::size_t piece_octets = 65'536;    // handed to the writer at a time
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

bool is_before(const FileProblem& a, const FileProblem& b) noexcept {
    return std::tie(a.at.line, a.at.column) < std::tie(b.at.line, b.at.column);
}

// The first problems_max, in the file's order, of however many there are.
class Problems {
  public:
    void add(FilePosition at, std::string what) {
        problems_.push_back({at, std::move(what)});
        if (problems_.size() == 2 * problems_max) cut();
    }
    std::size_t size() const noexcept { return problems_.size(); }
    std::vector<FileProblem> take(bool& is_cut) {
        cut();
        is_cut = is_cut || is_cut_;
        return std::move(problems_);
    }

  private:
    void cut() {
        std::ranges::stable_sort(problems_, is_before);
        if (problems_.size() <= problems_max) return;
        is_cut_ = true;
        problems_.resize(problems_max);
    }

    std::vector<FileProblem> problems_;
    bool is_cut_ = false;
};

// One word of an entry as it was written, escapes and all, without its quotes.
struct Word {
    std::string_view text;
    FilePosition at;
    bool quoted = false;
};

// An entry (RFC 1035 §5.1): a line, or what parentheses make one of several.
struct Entry {
    std::vector<Word> words;
    FilePosition at;
    bool starts_blank = false;  // its owner is the one before
    bool is_sound = true;       // otherwise its problem is listed
    bool is_one_piece = true;   // nothing but white space is between its words
};

// Splits a master file into entries, in one pass.
class Lexer {
  public:
    Lexer(std::string_view text, Problems& errors) : text_(text), errors_(errors) {
        if (text_.starts_with(byte_order_mark)) line_start_ = at_ = byte_order_mark.size();
    }

    // False: the text is at its end. The words live as long as the text.
    bool next(Entry& entry) {
        if (at_ >= text_.size()) return false;
        entry.words.clear();
        entry.at = here();
        entry.starts_blank = text_[at_] == ' ' || text_[at_] == '\t';
        entry.is_sound = entry.is_one_piece = true;
        unsigned depth = 0;
        FilePosition opened;
        bool in_pieces = false;  // a parenthesis, a comment or a line's end since the last word
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '\n') {
                ++at_;
                ++line_;
                line_start_ = at_;
                if (depth == 0) return true;
                in_pieces = true;
            } else if (c == ' ' || c == '\t' || c == '\r') {
                ++at_;
            } else if (c == ';') {
                at_ = std::min(text_.find('\n', at_), text_.size());
                in_pieces = true;
            } else if (c == '(') {
                if (depth++ == 0) opened = here();
                in_pieces = true;
                ++at_;
            } else if (c == ')') {
                if (depth == 0) {
                    refuse(entry, here(), "a parenthesis is closed that was not opened");
                } else {
                    --depth;
                }
                in_pieces = true;
                ++at_;
            } else {
                if (in_pieces && !entry.words.empty()) entry.is_one_piece = false;
                in_pieces = false;
                take_word(entry);
            }
        }
        if (depth > 0) refuse(entry, opened, "a parenthesis is not closed");
        return true;
    }

  private:
    FilePosition here() const noexcept {
        return {line_, static_cast<unsigned>(at_ - line_start_) + 1};
    }

    void refuse(Entry& entry, FilePosition at, std::string what) {
        if (entry.is_sound) errors_.add(at, std::move(what));
        entry.is_sound = false;
    }

    static bool ends_word(char c) noexcept {
        switch (c) {
            case ' ':
            case '\t':
            case '\r':
            case '\n':
            case '"':
            case ';':
            case '(':
            case ')':
                return true;
            default:
                return false;
        }
    }

    void take_word(Entry& entry) {
        Word word{{}, here(), text_[at_] == '"'};
        if (word.quoted) ++at_;
        const std::size_t start = at_;
        for (; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (word.quoted ? c == '"' || c == '\n' : ends_word(c)) break;
            if (is_no_text(c)) refuse_octet(entry);
            if (c != '\\') continue;
            const bool is_last = at_ + 1 == text_.size() || text_[at_ + 1] == '\n' ||
                                 text_.substr(at_ + 1).starts_with("\r\n");
            if (is_last) {
                refuse(entry, here(), "a backslash is the last octet of a line");
                continue;
            }
            ++at_;
            if (is_no_text(text_[at_])) refuse_octet(entry);
        }
        word.text = text_.substr(start, at_ - start);
        if (word.quoted) {
            if (at_ == text_.size() || text_[at_] != '"')
                refuse(entry, word.at, "a quote is not closed on its line");
            else
                ++at_;
        }
        entry.words.push_back(word);
    }

    static bool is_no_text(char c) noexcept {
        const auto octet = static_cast<unsigned char>(c);
        return (octet < 0x20 && c != '\t' && c != '\r') || octet == 0x7f;
    }
    void refuse_octet(Entry& entry) {
        const auto octet = static_cast<unsigned char>(text_[at_]);
        refuse(entry, here(),
               fmt::format("the octet {} is no text; in names and strings it is written \\{:03}",
                           octet, octet));
    }

    std::string_view text_;
    Problems& errors_;
    std::size_t at_ = 0, line_start_ = 0;
    unsigned line_ = 1;
};

struct Ttl {
    enum class Fault { None, NoTtl, TooLarge } fault = Fault::None;
    std::uint32_t seconds = 0;
};

// Seconds, or BIND's units: 1w2d3h4m5s.
Ttl parse_ttl(std::string_view text) {
    std::uint64_t sum = 0, number = 0;
    bool has_digits = false, has_units = false;
    for (const char c : text) {
        if (c >= '0' && c <= '9') {
            number = std::min(number * 10 + static_cast<unsigned>(c - '0'), ttl_max + 1);
            has_digits = true;
            continue;
        }
        const std::string_view units = "smhdw";
        constexpr std::uint64_t seconds[] = {1, 60, 3'600, 86'400, 604'800};
        const std::size_t unit = units.find(to_lower(c));
        if (unit == units.npos || !has_digits) return {Ttl::Fault::NoTtl, 0};
        sum = std::min(sum + number * seconds[unit], ttl_max + 1);
        number = 0;
        has_digits = false;
        has_units = true;
    }
    if (has_digits == has_units) return {Ttl::Fault::NoTtl, 0};  // 1h30, or nothing at all
    sum += number;
    if (sum > ttl_max) return {Ttl::Fault::TooLarge, 0};
    return {Ttl::Fault::None, static_cast<std::uint32_t>(sum)};
}

// One RR of the file. Its octets stand in the parser's `octets_`: the records of a large file are
// many, and the text is not kept for them.
struct FileRecord {
    std::uint64_t owner_key = 0;
    std::size_t owner_at = 0, rdata_at = 0;
    std::uint32_t ttl = 0;
    FilePosition at;
    RrType type = RrType::A;
    std::uint16_t rdata_octets = 0;
    std::uint8_t owner_octets = 0;
};

// Reads entries one by one, then makes RRsets of the records, then a zone of the RRsets.
class Parser {
  public:
    Parser(std::string_view text, const Name& apex)
        : lexer_(text, errors_), apex_(apex), origin_(apex) {
        octets_.reserve(text.size());
    }

    MasterFile parse() {
        Entry entry;
        while (errors_.size() <= problems_max && lexer_.next(entry)) read(entry);
        sort_records();
        std::shared_ptr<const Zone> zone = make_zone();
        // What is missing may stand in a line that was not understood.
        if (errors_.size() == 0) judge(*zone);
        MasterFile file;
        if (errors_.size() == 0) file.zone = std::move(zone);
        file.errors = errors_.take(file.is_cut);
        file.warnings = warnings_.take(file.is_cut);
        return file;
    }

  private:
    void refuse(const Word& word, std::string what) { errors_.add(word.at, std::move(what)); }

    void read(const Entry& entry) {
        if (entry.words.empty()) return;
        const Word& first = entry.words.front();
        if (!entry.starts_blank && !first.quoted && first.text.starts_with('$')) {
            if (entry.is_sound) directive(entry);
            return;
        }
        if (!entry.starts_blank) owner_ = Owner::Refused;  // until it is taken
        if (!entry.is_sound) return;
        if (!entry.starts_blank) {
            if (take_owner(first)) record(entry, 1);
        } else if (owner_ == Owner::Taken) {
            record(entry, 0);
        } else if (owner_ == Owner::None) {
            refuse(first, "a line without an owner name has none before it");
        }
    }

    void directive(const Entry& entry) {
        const Word& word = entry.words.front();
        if (equal_ignoring_case(word.text, "$INCLUDE"))
            return refuse(word, "$INCLUDE is refused: a zone comes in one piece");
        if (equal_ignoring_case(word.text, "$GENERATE"))
            return refuse(word, "$GENERATE is refused: it is BIND's own; write the records out");
        const bool is_origin = equal_ignoring_case(word.text, "$ORIGIN");
        if (!is_origin && !equal_ignoring_case(word.text, "$TTL"))
            return refuse(word, fmt::format("'{}' is no directive (RFC 1035 §5.1)", word.text));
        if (entry.words.size() != 2)
            return refuse(word, fmt::format("{} is followed by one word, {}", word.text,
                                            is_origin ? "a name" : "a TTL (RFC 2308 §4)"));
        const Word& value = entry.words[1];
        if (!is_origin) {
            std::uint32_t ttl = 0;
            if (take_ttl(value, ttl)) default_ttl_ = ttl;
        } else if (const auto name = Name::parse(value.text, origin_)) {
            origin_ = *name;
        } else {
            refuse(value, name.error().message);
        }
    }

    bool take_owner(const Word& word) {
        if (word.quoted) {
            refuse(word, "an owner name does not stand in quotes");
            return false;
        }
        const auto name = Name::parse(word.text, origin_);
        if (!name) {
            refuse(word, name.error().message);
            return false;
        }
        if (!name->is_at_or_below(apex_)) {
            refuse(word, fmt::format("the name {} is outside of the zone {}", name->print(),
                                     apex_.print()));
            return false;
        }
        owner_ = Owner::Taken;
        const auto octets = name->octets();
        owner_key_ = key_of(*name);
        owner_at_ = octets_.size();
        owner_octets_ = static_cast<std::uint8_t>(octets.size());
        octets_.insert(octets_.end(), octets.begin(), octets.end());
        return true;
    }

    bool take_ttl(const Word& word, std::uint32_t& ttl) {
        const Ttl parsed = parse_ttl(word.text);
        if (parsed.fault == Ttl::Fault::NoTtl)
            refuse(word, fmt::format("'{}' is no TTL", word.text));
        if (parsed.fault == Ttl::Fault::TooLarge)
            refuse(word, fmt::format("the TTL {} is above {} (RFC 2181 §8)", word.text, ttl_max));
        ttl = parsed.seconds;
        return parsed.fault == Ttl::Fault::None;
    }

    // [TTL] [class] type RDATA, or [class] [TTL] type RDATA; `at`: the word after the owner.
    void record(const Entry& entry, std::size_t at) {
        const std::vector<Word>& words = entry.words;
        std::optional<std::uint32_t> ttl;
        bool has_class = false;
        for (; at < words.size() && !words[at].quoted; ++at) {
            const Word& word = words[at];
            if (!ttl && word.text.front() >= '0' && word.text.front() <= '9') {
                if (!take_ttl(word, ttl.emplace())) return;
            } else if (const auto rr_class = has_class ? std::nullopt : class_of(word.text)) {
                has_class = true;
                if (*rr_class != wire::RrClass::IN)
                    return refuse(word, fmt::format("the class {} is not served: zones are of "
                                                    "class IN",
                                                    word.text));
            } else {
                break;
            }
        }
        if (at == words.size()) return refuse(words.back(), "an RR type is missing");
        const Word& word = words[at];
        const auto type = word.quoted ? std::nullopt : wire::parse_type(word.text);
        if (!type || *type == RrType{0})
            return refuse(word, fmt::format("'{}' is no RR type", word.text));
        if (wire::is_query_only(*type))
            return refuse(word, fmt::format("no zone holds RRs of type {}", word.text));
        const auto rdata = rdata_of(entry, *type, at + 1);
        if (!rdata) return;
        if (ttl) {
            last_ttl_ = ttl;
        } else if (!(ttl = ttl_of(*type, *rdata))) {
            return refuse(word,
                          "there is no TTL: neither here, nor before, nor by $TTL (RFC 2308 §4)");
        }
        records_.push_back({owner_key_, owner_at_, octets_.size(), *ttl, entry.words.front().at,
                            *type, static_cast<std::uint16_t>(rdata->size()), owner_octets_});
        octets_.insert(octets_.end(), rdata->begin(), rdata->end());
    }

    // What is asked of most words, in vain, is asked quickly.
    static std::optional<wire::RrClass> class_of(std::string_view text) {
        switch (to_lower(text.front())) {
            case 'i':
            case 'c':
            case 'h':
                return wire::parse_class(text);
            default:
                return std::nullopt;
        }
    }

    // The TTL of a record that names none: $TTL (RFC 2308 §4), the last one that was written (RFC
    // 1035 §5.1), or the SOA's minimum, as the name servers of old read it.
    std::optional<std::uint32_t> ttl_of(RrType type, std::span<const std::uint8_t> rdata) {
        if (default_ttl_) return default_ttl_;
        if (last_ttl_) return last_ttl_;
        if (type == RrType::SOA) {
            std::uint32_t minimum = 0;
            for (const std::uint8_t octet : rdata.last(4)) minimum = minimum << 8 | octet;
            soa_minimum_ = std::min(minimum, static_cast<std::uint32_t>(ttl_max));
        }
        return soa_minimum_;
    }

    std::optional<wire::RdataOctets> rdata_of(const Entry& entry, RrType type, std::size_t at) {
        const std::span<const Word> words = std::span(entry.words).subspan(at);
        auto rdata = entry.is_one_piece && type != RrType::SOA
                         ? wire::parse_rdata(type, as_it_stands(words), origin_)
                         : wire::parse_rdata(type, put_together(words, type), origin_);
        if (rdata) return std::move(*rdata);
        // The word that the error quotes; otherwise RDATA as a whole.
        const std::string& what = rdata.error().message;
        const Word* blamed = words.empty() ? &entry.words[at - 1] : &words.front();
        for (const Word& word : words) {
            if (what.find(fmt::format("'{}'", word.text)) == what.npos) continue;
            blamed = &word;
            break;
        }
        refuse(*blamed, what);
        return std::nullopt;
    }

    static std::string_view as_it_stands(std::span<const Word> words) {
        if (words.empty()) return {};
        const char* from = words.front().text.data() - words.front().quoted;
        const char* to = words.back().text.data() + words.back().text.size() + words.back().quoted;
        return {from, to};
    }

    static std::string put_together(std::span<const Word> words, RrType type) {
        std::string text;
        for (std::size_t i = 0; i < words.size(); ++i) {
            const Word& word = words[i];
            const std::string_view quote = word.quoted ? "\"" : "";
            // The timers of a SOA may have units too; its serial may not.
            const bool is_timer = type == RrType::SOA && i > 2 && !word.quoted;
            const Ttl timer = is_timer ? parse_ttl(word.text) : Ttl{Ttl::Fault::NoTtl, 0};
            text += text.empty() ? "" : " ";
            text += quote;
            if (timer.fault == Ttl::Fault::None) {
                text += std::to_string(timer.seconds);
            } else {
                text += word.text;
            }
            text += quote;
        }
        return text;
    }

    // The hash, its lowest bits first: names in this order are near each other in the zone's trie,
    // which then grows one branch after the other.
    static std::uint64_t key_of(const Name& owner) { return std::byteswap(owner.hash()); }
    std::span<const std::uint8_t> owner_of(const FileRecord& record) const {
        return std::span(octets_).subspan(record.owner_at, record.owner_octets);
    }
    std::span<const std::uint8_t> rdata_of(const FileRecord& record) const {
        return std::span(octets_).subspan(record.rdata_at, record.rdata_octets);
    }
    std::strong_ordering by_owner(const FileRecord& a, const FileRecord& b) const {
        if (a.owner_key != b.owner_key) return a.owner_key <=> b.owner_key;
        if (a.owner_at == b.owner_at || wire::equal_names(owner_of(a), owner_of(b)))
            return std::strong_ordering::equal;
        // Of different names with one key, in some order that is always the same.
        return *Name::from_octets(owner_of(a)) < *Name::from_octets(owner_of(b))
                   ? std::strong_ordering::less
                   : std::strong_ordering::greater;
    }
    // RRsets in a row, within each the file's order.
    void sort_records() {
        std::ranges::stable_sort(records_, [this](const FileRecord& a, const FileRecord& b) {
            const auto order = by_owner(a, b);
            return order != 0 ? order < 0 : a.type < b.type;
        });
    }

    std::shared_ptr<const Zone> make_zone() {
        ZoneEdit edit(Zone::make(apex_));
        for (auto from = records_.begin(); from != records_.end();) {
            const auto to = std::find_if(from, records_.end(), [&](const FileRecord& record) {
                return record.type != from->type || by_owner(record, *from) != 0;
            });
            const std::span<const FileRecord> records(from, to);
            if (auto rrset = make_rrset(records))
                edit.set(*Name::from_octets(owner_of(*from)), std::move(rrset));
            from = to;
        }
        return edit.finish();
    }

    std::shared_ptr<const RRset> make_rrset(std::span<const FileRecord> records) {
        const FileRecord& first = records.front();
        if (records.size() > records_max) {
            errors_.add(records[records_max].at,
                        fmt::format("an RRset has more than {} records", records_max));
            return nullptr;
        }
        const std::uint32_t ttl = std::ranges::min(records, {}, &FileRecord::ttl).ttl;
        const auto differing = std::ranges::find_if(
            records, [&](const FileRecord& record) { return record.ttl != first.ttl; });
        if (differing != records.end())
            warnings_.add(differing->at,
                          fmt::format("the TTLs of an RRset differ: {} and {}; all get {}, the "
                                      "least (RFC 2181 §5.2)",
                                      first.ttl, differing->ttl, ttl));
        std::vector<Rdata> rdata;
        rdata.reserve(records.size());
        for (const FileRecord& record : records) {
            const auto octets = rdata_of(record);
            rdata.push_back({{octets.begin(), octets.end()}, 1});
        }
        auto rrset = std::make_shared<const RRset>(first.type, ttl, std::move(rdata));
        if (rrset->size() < records.size()) warn_of_duplicates(records);
        return rrset;
    }

    void warn_of_duplicates(std::span<const FileRecord> records) {
        std::vector<const FileRecord*> sorted;
        for (const FileRecord& record : records) sorted.push_back(&record);
        const auto order = [this](const FileRecord* a, const FileRecord* b) {
            const auto x = rdata_of(*a), y = rdata_of(*b);
            return std::lexicographical_compare_three_way(x.begin(), x.end(), y.begin(), y.end());
        };
        std::ranges::stable_sort(sorted, [&](auto* a, auto* b) { return order(a, b) < 0; });
        for (std::size_t i = 1; i < sorted.size(); ++i) {
            if (order(sorted[i - 1], sorted[i]) == 0)
                warnings_.add(sorted[i]->at,
                              "a record is there twice, and kept once (RFC 2181 §5)");
        }
    }

    void judge(const Zone& zone) {
        for (Finding& finding : check(zone)) {
            Problems& problems = finding.severity == Finding::Severity::Error ? errors_ : warnings_;
            problems.add(position_of(finding), finding.owner.print() + ": " + finding.what);
        }
    }

    // Of the first record of the RRset.
    FilePosition position_of(const Finding& finding) const {
        const auto key = std::pair(key_of(finding.owner), finding.type);
        for (auto at = std::ranges::lower_bound(
                 records_, key, {},
                 [](const FileRecord& record) { return std::pair(record.owner_key, record.type); });
             at != records_.end() && at->owner_key == key.first; ++at) {
            if (at->type == finding.type &&
                wire::equal_names(owner_of(*at), finding.owner.octets()))
                return at->at;
        }
        return {};
    }

    Problems errors_, warnings_;
    Lexer lexer_;
    const Name apex_;
    Name origin_;
    std::optional<std::uint32_t> default_ttl_, last_ttl_, soa_minimum_;
    // The name that a line without one goes on with. After one that was refused such lines are
    // passed over: the same problem again would be no news.
    enum class Owner { None, Taken, Refused } owner_ = Owner::None;
    std::uint64_t owner_key_ = 0;
    std::size_t owner_at_ = 0;
    std::uint8_t owner_octets_ = 0;
    std::vector<FileRecord> records_;
    std::vector<std::uint8_t> octets_;
};

// The root prints as "." itself.
std::string absolute(const Name& name) { return name.is_root() ? "." : name.print() + '.'; }

void print_rrset(std::string_view owner, const RRset& rrset, std::string& out) {
    for (std::size_t i = 0; i < rrset.size(); ++i) {
        if (!rrset.is_transferred(i)) continue;
        fmt::format_to(std::back_inserter(out), "{} {} IN {} {}\n", owner, rrset.ttl(),
                       print(rrset.type()), wire::print_rdata(rrset.type(), rrset.rdata(i)));
    }
}

}  // namespace

MasterFile parse_master_file(std::string_view text, const Name& apex) {
    return Parser(text, apex).parse();
}

void print_master_file(const Zone& zone, const std::function<void(std::string_view)>& write) {
    std::string piece = "$ORIGIN " + absolute(zone.apex()) + '\n';
    if (zone.soa() != nullptr) print_rrset(absolute(zone.apex()), *zone.soa(), piece);
    zone.for_each([&](const Node& node) {
        const std::string owner = absolute(node.owner());
        for (const auto& rrset : node.rrsets()) {
            if (rrset.get() != zone.soa()) print_rrset(owner, *rrset, piece);
            if (piece.size() < piece_octets) continue;
            write(piece);
            piece.clear();
        }
    });
    write(piece);
}

}  // namespace dnsd::tree
