#include "dnsd/transfer/record_stream.h"

#include <utility>

#include "base/assert.h"

namespace dnsd::transfer {

namespace {

RecordView soa_of(const tree::Zone& zone) {
    const tree::RRset* soa = zone.soa();
    DNSD_ASSERT(soa != nullptr);
    return {zone.apex_node().name_octets(), wire::RrType::SOA, soa->ttl(), soa->rdata(0)};
}

class Whole final : public RecordStream {
  public:
    explicit Whole(std::shared_ptr<const tree::Zone> zone)
        : zone_(std::move(zone)), nodes_(zone_->cursor()) {}

    const RecordView* next() override {
        switch (at_) {
            case At::Begin:
                at_ = At::Middle;
                view_ = soa_of(*zone_);
                return &view_;
            case At::Middle:
                if (advance()) return &view_;
                at_ = At::End;
                view_ = soa_of(*zone_);
                return &view_;
            case At::End:
                break;
        }
        return nullptr;
    }

  private:
    // To the next record but the SOA.
    bool advance() {
        for (;;) {
            if (node_ == nullptr || rrset_ == node_->rrsets().size()) {
                node_ = nodes_.next();
                if (node_ == nullptr) return false;
                rrset_ = record_ = 0;
                continue;
            }
            const tree::RRset& rrset = *node_->rrsets()[rrset_];
            const bool is_soa = rrset.type() == wire::RrType::SOA && node_ == &zone_->apex_node();
            if (is_soa || record_ == rrset.size()) {
                ++rrset_;
                record_ = 0;
                continue;
            }
            const std::size_t record = record_++;
            if (!rrset.is_transferred(record)) continue;
            view_ = {node_->name_octets(), rrset.type(), rrset.ttl(), rrset.rdata(record)};
            return true;
        }
    }

    std::shared_ptr<const tree::Zone> zone_;
    tree::Trie<tree::Node>::Cursor nodes_;
    const tree::Node* node_ = nullptr;
    std::size_t rrset_ = 0, record_ = 0;  // what comes next, of the node
    enum class At { Begin, Middle, End } at_ = At::Begin;
    RecordView view_;
};

class Changes final : public RecordStream {
  public:
    Changes(std::shared_ptr<const tree::Zone> zone, tree::Difference difference)
        : zone_(std::move(zone)), difference_(std::move(difference)) {}

    const RecordView* next() override {
        const std::size_t removed = difference_.removed.size();
        const std::size_t all = difference_.size();
        const std::size_t at = next_++;
        if (at > all + 1) return nullptr;
        if (at == 0 || at == all + 1) {
            view_ = soa_of(*zone_);
            return &view_;
        }
        const tree::ZoneRecord& record =
            at <= removed ? difference_.removed[at - 1] : difference_.added[at - 1 - removed];
        view_ = {record.owner.octets(), record.type, record.ttl, record.rdata};
        return &view_;
    }

  private:
    std::shared_ptr<const tree::Zone> zone_;
    const tree::Difference difference_;
    std::size_t next_ = 0;
    RecordView view_;
};

class Alone final : public RecordStream {
  public:
    explicit Alone(std::shared_ptr<const tree::Zone> zone)
        : zone_(std::move(zone)), view_(soa_of(*zone_)) {}
    const RecordView* next() override { return std::exchange(is_over_, true) ? nullptr : &view_; }

  private:
    std::shared_ptr<const tree::Zone> zone_;
    RecordView view_;
    bool is_over_ = false;
};

}  // namespace

std::unique_ptr<RecordStream> stream_whole(std::shared_ptr<const tree::Zone> zone) {
    return std::make_unique<Whole>(std::move(zone));
}

std::unique_ptr<RecordStream> stream_difference(std::shared_ptr<const tree::Zone> zone,
                                                tree::Difference difference) {
    return std::make_unique<Changes>(std::move(zone), std::move(difference));
}

std::unique_ptr<RecordStream> stream_soa(std::shared_ptr<const tree::Zone> zone) {
    return std::make_unique<Alone>(std::move(zone));
}

bool has_records(const tree::Zone& zone, std::size_t count) {
    // The zone outlives the stream, which therefore needs no share of it.
    Whole records(std::shared_ptr<const tree::Zone>(std::shared_ptr<void>(), &zone));
    for (std::size_t i = 0; i < count; ++i) {
        if (records.next() == nullptr) return false;
    }
    return true;
}

}  // namespace dnsd::transfer
