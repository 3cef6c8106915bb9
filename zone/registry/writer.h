// The registry's thread: takes all changes that wait, and carries them out together.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "base/io/loop.h"
#include "base/io/mailbox.h"
#include "zone/registry/agenda.h"
#include "zone/registry/chronicle.h"
#include "zone/registry/compile_draft.h"
#include "zone/registry/draft.h"
#include "zone/registry/handed_out.h"
#include "zone/registry/pointers.h"
#include "zone/registry/publication.h"
#include "zone/registry/registry.h"
#include "zone/registry/watches.h"

namespace dnsd::registry {

class Writer final : public Registry {
  public:
    using Done = std::move_only_function<void(Outcome)>;

    Writer(Options options, std::unique_ptr<store::Store> store,
           const std::vector<store::ServiceRow>& services, std::string identity,
           std::shared_ptr<const State> state, const Clock& clock);
    // What options, or time, changed in a zone since it was served last moves its serial.
    Result<> bring_serials_up_to_date();
    void start();
    ~Writer() override;

    void submit(Change change, Done done) override;
    void attach(health::Checker* checker) override;
    void transitions(std::vector<health::Transition> transitions) override;
    void on_published(std::function<void(const Published&)> listener) override;
    void set_followers(std::size_t count) override;
    std::string identity() const override;
    const Snapshot<tree::ZoneSet>& zones() const noexcept override { return zones_; }
    const Snapshot<State>& state() const noexcept override { return state_; }
    Result<> check_writable() override;
    std::vector<Metric> metrics() const override;

  private:
    struct Waiting {
        Change change;
        Done done;
        WallTime submitted;
    };
    struct WaitingVerdict {
        Verdict verdict;
        WallTime submitted;
    };
    struct Acknowledgement {
        Done done;
        Outcome outcome;
        std::optional<DeleteInstance> drain;  // whose safe_after it tells
    };
    struct Question {  // for the checker: a Heartbeat, Reconfirm or Report found right
        ServiceKey key;
        std::string id;
        bool probes = false;  // Reconfirm and Report
        Done done;            // Reconfirm with wait, and Report; empty otherwise
        model::Revision revision = 0;
        std::optional<Report> report{};
        std::optional<Reported> reported{};
    };
    // Committed, not yet visible.
    struct Edition {
        SteadyTime due;
        std::shared_ptr<const tree::ZoneSet> zones;
        std::shared_ptr<const State> state;
        std::vector<model::Event> events;
        std::vector<std::string> moved;  // zones whose serial did
        std::map<ServiceKey, std::pair<std::shared_ptr<const Service>,
                                       std::shared_ptr<const Service>>>
            services;  // before and after
        std::vector<Acknowledgement> acknowledgements;
        std::vector<Question> questions;
    };

    // One batch, from what waits to an edition.
    void carry_out();
    void take(Waiting waiting, Draft& draft, Edition& edition);
    bool held_back(Waiting& waiting, const Draft& draft);
    void ask(Waiting waiting, const Draft& draft, Edition& edition);
    Draft::Rules rules();
    Result<> commit(Draft& draft, const Compiled& compiled);
    void commit_failed(const Error& error, Edition edition, std::vector<WaitingVerdict> verdicts);
    void look_ahead(const Draft& draft);
    bool is_followed(const TtlsInForce& ttls, WallTime now) const;

    // One edition, from committed to acknowledged.
    void publish_due();
    void publish(Edition edition);
    void settle_drains(Edition& edition, WallTime published);
    void put_questions(std::vector<Question> questions);
    void reconfirm(std::uint64_t watch, Question question);
    void hear(std::uint64_t watch, Question question);
    bool is_reason_to_probe(std::uint64_t watch, const Service& service, Question& question);
    void acknowledge(std::vector<Acknowledgement> acknowledgements,
                     const std::shared_ptr<const State>& state);

    void reconfirmed(std::uint64_t ticket, health::Reconfirmed result);
    void follow_all();
    void on_time();
    void write_times();
    void set_timer();
    TtlsInForce ttls_of(const State& state, const ServiceKey& key) const;
    WallTime surely_safe_after(const ServiceKey& key) const;
    void remember(Result<> outcome);

    const Options options_;
    const Clock& clock_;
    const Infrastructure infrastructure_;
    std::unique_ptr<store::Store> store_;

    // The thread's own.
    io::Loop loop_;
    std::shared_ptr<const State> committed_;  // the last that the store holds; state_ may wait
    std::shared_ptr<const tree::ZoneSet> compiled_;
    Pointers pointers_;  // of committed_
    HandedOut handed_out_;
    Agenda agenda_;
    Chronicle chronicle_;
    Watches watches_;
    health::Checker* checker_ = nullptr;
    std::vector<Waiting> waiting_;
    std::vector<WaitingVerdict> verdicts_;
    std::multimap<SteadyTime, Waiting> held_back_;    // SetHealth, for custom_health_delay
    std::deque<Edition> editions_;                    // for publish_delay
    std::map<std::uint64_t, Question> reconfirming_;  // by ticket
    std::uint64_t last_ticket_ = 0;
    ReconfirmationBudget budget_;            // of reports
    std::vector<Acknowledgement> answered_;  // reconfirmations, told after this batch
    std::optional<SteadyTime> not_before_;   // after a failed commit
    std::vector<std::function<void(const Published&)>> listeners_;
    bool stopping_ = false;

    // Any thread's.
    Snapshot<tree::ZoneSet> zones_;
    Snapshot<State> state_;
    mutable std::mutex writable_mutex_;  // guards writable_
    Result<> writable_;                  // how the last attempt ended
    Counter transactions_, failures_, changes_, verdicts_taken_;
    Counter reports_refused_, reports_of_success_, reports_counted_, reports_known_,
        reports_limited_, reports_reconfirmed_;
    std::atomic<std::uint64_t> watched_{0};
    std::atomic<std::size_t> followers_{0};
    std::atomic<std::int64_t> last_followed_{0};  // milliseconds since 1970; 0: never
    mutable std::mutex identity_mutex_;           // guards identity_
    std::string identity_;
    std::atomic<std::size_t> submitted_{0};  // changes whose letters are unread

    io::Timer timer_;
    io::Mailbox letters_;
    std::thread thread_;
};

}  // namespace dnsd::registry
