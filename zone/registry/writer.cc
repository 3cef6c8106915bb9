#include "zone/registry/writer.h"

#include <algorithm>
#include <future>

#include "base/assert.h"
#include "base/log.h"
#include "zone/registry/requirements.h"
#include "zone/registry/rows.h"
#include "zone/tree/difference.h"

namespace dnsd::registry {

namespace {

// A checker that cannot be heard would leave the dead in the answers: more than all checks say at
// once.
constexpr std::size_t checker_letters_max = 10'000'000;
// A store that failed is not asked at once again by what must not be lost.
constexpr Milliseconds retry_after(500);
// Times known after the commit wait for the next transaction, but not longer than this.
constexpr Milliseconds times_wait_max(100);
constexpr Milliseconds look_for_answers_every(1'000);
constexpr Milliseconds sleep_max(10'000);  // the wall clock may be moved meanwhile

Refusal unavailable(std::string detail) {
    return {Refusal::Kind::Unavailable, std::move(detail), {}};
}

Refusal not_found(std::string detail) { return {Refusal::Kind::NotFound, std::move(detail), {}}; }

Milliseconds until(SteadyTime when, SteadyTime now) {
    return std::max(Milliseconds(0), std::chrono::ceil<Milliseconds>(when - now));
}

// What changed by itself is worth a line; what somebody asked for, only to those who debug.
void tell_operator(const model::Event& event) {
    const bool by_itself =
        event.cause == "health" || event.cause == "drain_ended" || event.cause == "policy";
    const auto level = by_itself ? log::Level::Info : log::Level::Debug;
    if (!log::enabled(level)) return;
    const std::string place =
        fmt::format("namespace={} service={} revision={}", log::quoted(event.namespace_name),
                    log::quoted(event.service), event.revision);
    if (event.instances.empty()) log::at(level, "{} {}", event.cause, place);
    for (const model::InstanceEvent& one : event.instances) {
        log::at(level, "{} {} instance={} was={} status={}{}", event.cause, place,
                log::quoted(one.id), one.was, one.status,
                event.probes.empty() ? "" : " outcome=" + log::quoted(event.probes.back().outcome));
    }
}

std::vector<model::ProbeRecord> records(const std::vector<health::Probe>& probes) {
    std::vector<model::ProbeRecord> records;
    for (const health::Probe& probe : probes)
        records.push_back({probe.tick, probe.ended, probe.success, probe.outcome});
    return records;
}

}  // namespace

Result<std::unique_ptr<Registry>> Registry::open(Options options,
                                                 std::unique_ptr<store::Store> store,
                                                 const Clock& clock) {
    auto contents = store->load();
    if (!contents) return std::unexpected(contents.error());
    const auto services = contents->services;
    std::string identity = contents->identity;
    auto state = load_state(std::move(*contents), *store);
    if (!state) return std::unexpected(state.error());
    auto writer = std::make_unique<Writer>(std::move(options), std::move(store), services,
                                           std::move(identity), std::move(*state), clock);
    if (auto moved = writer->bring_serials_up_to_date(); !moved)
        return std::unexpected(moved.error());
    writer->start();
    return writer;
}

Writer::Writer(Options options, std::unique_ptr<store::Store> store,
               const std::vector<store::ServiceRow>& services, std::string identity,
               std::shared_ptr<const State> state, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      infrastructure_{options_.advertised_name, options_.dns_addresses, options_.api_addresses,
                      options_.ttl_max},
      store_(std::move(store)),
      handed_out_(options_.track_answers),
      zones_(std::make_shared<const tree::ZoneSet>()),
      state_(std::make_shared<const State>()),
      timer_(loop_, [this] { on_time(); }),
      letters_(loop_, options_.changes_waiting_max + checker_letters_max) {
    const WallTime now = clock_.wall();
    for (const store::ServiceRow& row : services) {
        handed_out_.assume(
            {row.spec.namespace_name, row.spec.name},
            {row.address_lapses.value_or(WallTime{}), row.srv_lapses.value_or(WallTime{})});
    }
    identity_ = std::move(identity);
    committed_ = std::move(state);
    Publication publication(zones_.load(), infrastructure_);
    committed_->namespaces.for_each([&](const std::string& name, const auto& within) {
        publication.put_namespace(nullptr, *within);
        within->services.for_each([&](const std::string& service_name, const auto& service) {
            const ServiceKey key{name, service_name};
            // What the process before us answered until its end, nobody has told us.
            const TtlsInForce ttls = ttls_of(*committed_, key);
            if (within->spec.dns)
                handed_out_.assume(key, {now + std::chrono::seconds(ttls.address()),
                                         now + std::chrono::seconds(ttls.srv)});
            publication.put_service(*within, nullptr, service.get(), now,
                                    handed_out_.marks_of(key));
            if (!options_.is_following) agenda_.set(key, next_change(*service, now));
        });
    });
    pointers_ = compile_pointers(*committed_, publication);
    compiled_ = publication.finish();
}

Result<> Writer::bring_serials_up_to_date() {
    if (options_.is_following) return {};
    auto next = std::make_shared<State>(*committed_);
    auto zones = compiled_;
    std::vector<std::shared_ptr<const Namespace>> moved;
    committed_->namespaces.for_each([&](const std::string& name, const auto& within) {
        const auto zone = within->spec.dns ? zones->find_apex(apex_of(within->spec)) : nullptr;
        if (!zone || !zone->soa() || within->spec.is_secondary()) return;
        const std::uint64_t content = tree::content_sum(*zone);
        if (content == within->content) return;
        auto now = std::make_shared<Namespace>(*within);
        now->content = content;
        // 0: a dnsd wrote it that kept no sum, and served the same.
        if (within->content != 0) {
            ++now->serial;
            tree::ZoneEdit edit(zone);
            wire::SoaRdata soa = soa_of(*zone->soa());
            soa.serial = now->serial;
            edit.set(zone->apex(), soa_rrset(soa, zone->soa()->ttl()));
            zones = zones->with(edit.finish());
        }
        next->namespaces.set(name, now);
        moved.push_back(std::move(now));
    });
    if (moved.empty()) return {};
    auto outcome = store_->begin();
    for (const auto& within : moved) {
        if (outcome) outcome = save(*within, *store_);
        if (outcome) outcome = store_->forget_differences(within->spec.name);
    }
    if (outcome) outcome = store_->commit();
    if (!outcome) {
        // Answers do not wait for a disk: whoever follows a zone learns of it with the next change.
        store_->roll_back();
        remember(outcome);
        log::error("serials not moved reason={}", log::quoted(outcome.error().message));
        return {};
    }
    committed_ = std::move(next);
    compiled_ = std::move(zones);
    return {};
}

void Writer::start() {
    zones_.publish(compiled_);
    state_.publish(committed_);
    letters_.after_batch([this] { carry_out(); });
    set_timer();
    thread_ = std::thread([this] { loop_.run(); });
}

Writer::~Writer() {
    DNSD_ASSERT(checker_ == nullptr);
    const bool taken =
        letters_.post([this] { stopping_ = true; });  // behind all that was submitted
    DNSD_ASSERT(taken);
    thread_.join();
}

void Writer::submit(Change change, Done done) {
    if (submitted_.fetch_add(1, std::memory_order_relaxed) >= options_.changes_waiting_max) {
        submitted_.fetch_sub(1, std::memory_order_relaxed);
        done(std::unexpected(unavailable("too many changes wait; try again")));
        return;
    }
    const bool taken = letters_.post(
        [this, waiting = Waiting{std::move(change), std::move(done), clock_.wall()}]() mutable {
            submitted_.fetch_sub(1, std::memory_order_relaxed);
            waiting_.push_back(std::move(waiting));
        });
    DNSD_ASSERT(taken);
}

void Writer::attach(health::Checker* checker) {
    std::promise<void> done;
    const bool taken = letters_.post([&] {
        checker_ = checker;
        watches_.clear();
        if (checker_) {
            follow_all();
        } else {
            for (auto& [ticket, question] : reconfirming_)
                answered_.push_back({std::move(question.done),
                                     std::unexpected(unavailable("checks have ended")),
                                     {}});
            reconfirming_.clear();
        }
        done.set_value();
    });
    DNSD_ASSERT(taken);
    done.get_future().wait();
}

void Writer::transitions(std::vector<health::Transition> transitions) {
    const WallTime submitted = clock_.wall();
    const bool taken =
        letters_.post([this, submitted, transitions = std::move(transitions)]() mutable {
            for (health::Transition& transition : transitions) {
                const Watches::Watched* watched = watches_.find(transition.watch);
                if (!watched) continue;  // it was deregistered, or is another endpoint by now
                verdicts_.push_back({{watched->key, watched->id, status_of(transition.status),
                                      transition.detected, records(transition.probes)},
                                     submitted});
            }
        });
    DNSD_ASSERT(taken);
}

void Writer::on_published(std::function<void(const Published&)> listener) {
    std::promise<void> done;
    const bool taken = letters_.post([&] {
        listeners_.push_back(std::move(listener));
        done.set_value();
    });
    DNSD_ASSERT(taken);
    done.get_future().wait();
}

Result<> Writer::check_writable() {
    const std::lock_guard lock(writable_mutex_);
    return writable_;
}

void Writer::remember(Result<> outcome) {
    const std::lock_guard lock(writable_mutex_);
    writable_ = std::move(outcome);
}

// ---- from what waits to an edition

void Writer::carry_out() {
    publish_due();
    const SteadyTime now = clock_.steady();
    Draft draft(committed_, rules(), clock_.wall());
    Edition edition;
    edition.acknowledgements = std::exchange(answered_, {});
    for (Waiting& waiting : std::exchange(waiting_, {})) {
        changes_.add();
        if (!held_back(waiting, draft)) take(std::move(waiting), draft, edition);
    }
    while (!held_back_.empty() && (stopping_ || held_back_.begin()->first <= now))
        take(std::move(held_back_.extract(held_back_.begin()).mapped()), draft, edition);

    // Who asked hears at once if the store fails; verdicts and time try again, not too often.
    const bool may_retry = stopping_ || !not_before_ || *not_before_ <= now;
    std::vector<WaitingVerdict> verdicts;
    if (may_retry) {
        verdicts = std::exchange(verdicts_, {});
        for (const WaitingVerdict& waiting : verdicts) {
            verdicts_taken_.add();
            draft.apply(waiting.verdict, waiting.submitted);
        }
        for (const ServiceKey& key : agenda_.due(draft.now())) draft.time_passed(key);
    }

    edition.due = now + options_.publish_delay;
    if (draft.is_touched()) {
        auto compiled = compile(draft, compiled_, pointers_, infrastructure_, handed_out_);
        if (auto committed = commit(draft, compiled); !committed) {
            commit_failed(committed.error(), std::move(edition), std::move(verdicts));
        } else {
            committed_ = draft.finish();
            compiled_ = std::move(compiled.zones);
            pointers_ = std::move(compiled.pointers);
            edition.zones = compiled_;
            edition.moved = std::move(compiled.moved);
            edition.state = committed_;
            edition.events = std::move(draft.events());
            for (const auto& [key, touched] : draft.services()) {
                const Namespace* within = committed_->find_namespace(key.namespace_name);
                const auto* after = within ? within->services.find(key.service) : nullptr;
                edition.services.emplace_hint(edition.services.end(), key,
                                              std::pair(touched.before, after ? *after : nullptr));
            }
            look_ahead(draft);
            editions_.push_back(std::move(edition));
        }
    } else if (!editions_.empty()) {
        // What was asked is so already, but not yet visible.
        auto& last = editions_.back();
        std::ranges::move(edition.acknowledgements, std::back_inserter(last.acknowledgements));
        std::ranges::move(edition.questions, std::back_inserter(last.questions));
    } else {
        put_questions(std::move(edition.questions));
        acknowledge(std::move(edition.acknowledgements), committed_);
    }

    publish_due();
    if (stopping_) {
        write_times();
        loop_.stop();
        return;
    }
    set_timer();
}

// A custom status waits out the delay that its service asks for, if it would be accepted now.
bool Writer::held_back(Waiting& waiting, const Draft& draft) {
    const auto* set = std::get_if<SetHealth>(&waiting.change.what);
    if (!set) return false;
    const Service* service = draft.state().find_service(set->namespace_name, set->service);
    const model::Instance* instance = service ? service->find(set->id) : nullptr;
    if (!instance || service->spec.custom_health_delay == Milliseconds(0) ||
        judge_set_health(*service, *instance) || held_back_.size() >= options_.changes_waiting_max)
        return false;
    const SteadyTime due = clock_.steady() + service->spec.custom_health_delay;
    held_back_.emplace(due, std::move(waiting));
    return true;
}

void Writer::take(Waiting waiting, Draft& draft, Edition& edition) {
    if (std::holds_alternative<Heartbeat>(waiting.change.what) ||
        std::holds_alternative<Reconfirm>(waiting.change.what) ||
        std::holds_alternative<Report>(waiting.change.what)) {
        ask(std::move(waiting), draft, edition);
        return;
    }
    Outcome outcome = draft.apply(waiting.change, waiting.submitted);
    Acknowledgement told{std::move(waiting.done), std::move(outcome), {}};
    if (auto* drained = std::get_if<DeleteInstance>(&waiting.change.what); drained && told.outcome)
        told.drain = std::move(*drained);
    edition.acknowledgements.push_back(std::move(told));
}

void Writer::ask(Waiting waiting, const Draft& draft, Edition& edition) {
    const auto* reconfirm = std::get_if<Reconfirm>(&waiting.change.what);
    const auto* heartbeat = std::get_if<Heartbeat>(&waiting.change.what);
    auto* report = std::get_if<Report>(&waiting.change.what);
    const auto named = [](const auto& what) {
        return std::pair(ServiceKey{what.namespace_name, what.service}, what.id);
    };
    const auto [key, id] = report      ? named(*report)
                           : reconfirm ? named(*reconfirm)
                                       : named(*heartbeat);
    const Service* service = draft.state().find_service(key.namespace_name, key.service);
    const model::Instance* instance = service ? service->find(id) : nullptr;
    std::optional<Refusal> refusal;
    if (!instance) {
        refusal = not_found(fmt::format("there is no instance {} of service {} in {}", id,
                                        key.service, key.namespace_name));
    } else {
        refusal =
            heartbeat ? judge_heartbeat(*service, *instance) : judge_reconfirm(*service, *instance);
        if (!refusal && !checker_) refusal = unavailable("checks have not begun");
    }
    if (refusal) {
        if (report) reports_refused_.add();
        edition.acknowledgements.push_back(
            {std::move(waiting.done), std::unexpected(std::move(*refusal)), {}});
        return;
    }
    Question question{key, id, heartbeat == nullptr, {}, instance->index()};
    if (report || (reconfirm && reconfirm->wait)) {
        if (report) question.report = std::move(*report);
        question.done = std::move(waiting.done);
    } else {
        Applied taken;
        taken.revision = question.revision;
        edition.acknowledgements.push_back({std::move(waiting.done), std::move(taken), {}});
    }
    edition.questions.push_back(std::move(question));
}

Draft::Rules Writer::rules() {
    return {.instances_per_service_max = options_.instances_per_service_max,
            .surely_safe_after = [this](const ServiceKey& key) { return surely_safe_after(key); },
            .infrastructure = infrastructure_,
            .served = [this](const wire::Name& apex) { return compiled_->find_apex(apex); }};
}

Result<> Writer::commit(Draft& draft, const Compiled& compiled) {
    const WallTime committing = clock_.wall();
    for (model::Event& event : draft.events()) event.times.committed = committing;
    for (const auto& [key, touched] : draft.services()) chronicle_.look(handed_out_, key);
    // Lowering a TTL does not shorten what caches hold until then.
    const auto lapses = [&](const ServiceKey& key) {
        HandedOut::Lapses last = handed_out_.lapses(key);
        const TtlsInForce was = ttls_of(*committed_, key);
        if (was != ttls_of(draft.state(), key)) {
            const WallTime published = committing + options_.publish_delay + retry_after;
            last.address = std::max(last.address, published + std::chrono::seconds(was.address()));
            last.srv = std::max(last.srv, published + std::chrono::seconds(was.srv));
        }
        return last;
    };
    auto outcome = store_->begin();
    if (outcome) outcome = save(draft, lapses, *store_);
    for (const std::string& zone : compiled.histories_ended) {
        if (outcome) outcome = store_->forget_differences(zone);
    }
    for (const store::DifferenceRow& row : compiled.differences) {
        if (outcome) outcome = store_->append(row, options_.history);
    }
    if (outcome) outcome = chronicle_.write(*store_);
    if (outcome) outcome = store_->commit();
    if (outcome && !draft.new_identity().empty()) {
        const std::lock_guard lock(identity_mutex_);
        identity_ = draft.new_identity();
    }
    if (!outcome) {
        store_->roll_back();
        failures_.add();
        remember(outcome);
        return outcome;
    }
    transactions_.add();
    chronicle_.written();
    not_before_.reset();
    remember({});
    const WallTime committed = clock_.wall();
    for (model::Event& event : draft.events()) event.times.committed = committed;
    return {};
}

void Writer::commit_failed(const Error& error, Edition edition,
                           std::vector<WaitingVerdict> verdicts) {
    if (!not_before_) log::error("commit failed reason={}", log::quoted(error.message));
    not_before_ = clock_.steady() + retry_after;
    const std::string detail = "the store cannot be written: " + error.message;
    for (Acknowledgement& told : edition.acknowledgements) {
        if (told.outcome) told.outcome = std::unexpected(unavailable(detail));
    }
    for (Question& question : edition.questions) {
        if (question.done)
            edition.acknowledgements.push_back(
                {std::move(question.done), std::unexpected(unavailable(detail)), {}});
    }
    // Verdicts that came meanwhile come after these; the checker tells each change of belief once.
    verdicts.insert(verdicts.end(), std::make_move_iterator(verdicts_.begin()),
                    std::make_move_iterator(verdicts_.end()));
    verdicts_ = std::move(verdicts);
    acknowledge(std::move(edition.acknowledgements), committed_);
}

void Writer::look_ahead(const Draft& draft) {
    for (const auto& [key, touched] : draft.services()) {
        const Service* service = committed_->find_service(key.namespace_name, key.service);
        if (!options_.is_following)
            agenda_.set(key, service ? next_change(*service, draft.now()) : std::nullopt);
        if (!service) handed_out_.forget(key);
    }
}

// ---- from committed to acknowledged

void Writer::publish_due() {
    while (!editions_.empty() && (stopping_ || editions_.front().due <= clock_.steady())) {
        Edition edition = std::move(editions_.front());
        editions_.pop_front();
        publish(std::move(edition));
    }
}

void Writer::publish(Edition edition) {
    for (const auto& [key, service] : edition.services) chronicle_.look(handed_out_, key);
    zones_.publish(edition.zones);
    const WallTime published = clock_.wall();
    for (const auto& [key, service] : edition.services) handed_out_.expect_answer(key);
    if (options_.publish_delay == Milliseconds(0) && !options_.is_following)
        settle_drains(edition, published);
    state_.publish(edition.state);

    if (checker_) {
        for (const auto& [key, service] : edition.services)
            watches_.follow(key, service.first.get(), service.second.get(), *checker_);
        watched_.store(watches_.size(), std::memory_order_relaxed);
    }
    Published news{edition.state, {}, {}, std::move(edition.moved)};
    for (const auto& [key, service] : edition.services) news.touched.push_back(key);
    for (model::Event& event : edition.events) {
        event.times.published = published;
        chronicle_.published(event);
        news.events.push_back(std::make_shared<const model::Event>(std::move(event)));
    }
    for (const auto& event : news.events) tell_operator(*event);
    for (const auto& listener : listeners_) listener(news);
    put_questions(std::move(edition.questions));
    acknowledge(std::move(edition.acknowledgements), edition.state);
}

// What was handed out is known only after the last answer that held the instance: a second, small
// transaction. If it fails, the later bound stands that was committed with the deregistration.
void Writer::settle_drains(Edition& edition, WallTime published) {
    std::vector<std::pair<ServiceKey, std::string>> drains;
    for (const model::Event& event : edition.events) {
        for (const model::InstanceEvent& happened : event.instances) {
            if (happened.status != "draining") continue;
            const ServiceKey key{event.namespace_name, event.service};
            const Service* service = committed_->find_service(key.namespace_name, key.service);
            const model::Instance* instance = service ? service->find(happened.id) : nullptr;
            if (instance && instance->drain && instance->drain->revision == event.revision)
                drains.emplace_back(key, happened.id);
        }
    }
    if (drains.empty()) return;
    Draft draft(committed_, rules(), clock_.wall());
    for (const auto& [key, id] : drains) {
        const TtlsInForce ttls = ttls_of(*committed_, key);
        draft.settle(key, id,
                     is_followed(ttls, published)
                         ? handed_out_.surely_safe_after(key, ttls, published)
                         : handed_out_.safe_after(key, ttls, published));
    }
    if (!commit(draft, {})) return;
    committed_ = draft.finish();
    edition.state = committed_;
    look_ahead(draft);
    for (auto& [key, service] : edition.services) {
        const Namespace* within = committed_->find_namespace(key.namespace_name);
        const auto* after = within ? within->services.find(key.service) : nullptr;
        service.second = after ? *after : nullptr;
    }
}

void Writer::put_questions(std::vector<Question> questions) {
    for (Question& question : questions) {
        const auto number = checker_ ? watches_.number_of(question.key, question.id) : std::nullopt;
        if (!number) {
            if (question.done)
                question.done(std::unexpected(unavailable("the instance is not watched any more")));
        } else if (!question.probes) {
            checker_->heartbeat(*number);
        } else if (question.report) {
            hear(*number, std::move(question));
        } else {
            reconfirm(*number, std::move(question));
        }
    }
}

void Writer::reconfirm(std::uint64_t watch, Question question) {
    if (!question.done) return checker_->reconfirm(watch, [](health::Reconfirmed) {});
    const std::uint64_t ticket = ++last_ticket_;
    reconfirming_.emplace(ticket, std::move(question));
    checker_->reconfirm(watch, [this, ticket](health::Reconfirmed result) {
        const bool taken = letters_.post([this, ticket, result] { reconfirmed(ticket, result); });
        DNSD_ASSERT(taken);
    });
}

void Writer::hear(std::uint64_t watch, Question question) {
    const auto state = state_.load();  // what is watched is what is published
    const Service* service = state->find_service(question.key.namespace_name, question.key.service);
    DNSD_ASSERT(service && service->find(question.id));
    const bool probes = is_reason_to_probe(watch, *service, question);
    question.reported->reconfirm = probes;
    if (probes) {
        log::info("reported failures={} namespace={} service={} instance={} error={}",
                  question.reported->failures, log::quoted(question.key.namespace_name),
                  log::quoted(question.key.service), log::quoted(question.id),
                  log::quoted(question.report->error));
        if (question.report->wait) return reconfirm(watch, std::move(question));
        checker_->reconfirm(watch, [](health::Reconfirmed) {});
    }
    Applied heard;
    heard.revision = question.revision;
    heard.reported = question.reported;
    heard.state = state;
    question.done(std::move(heard));
}

// Fills in question.reported, and counts. A success takes back the failures before it, for nobody
// is served by the dead; who lies so leaves the instance to its check's own pace.
bool Writer::is_reason_to_probe(std::uint64_t watch, const Service& service, Question& question) {
    ReportedFailures& reported = watches_.reported(watch);
    const SteadyTime now = clock_.steady();
    const Milliseconds window = service.spec.report_window;
    question.reported = Reported{0, service.spec.report_threshold, false};
    if (!question.report->failure) {
        reported.forget();
        reports_of_success_.add();
        return false;
    }
    reported.add(question.report->count, now, window);
    question.reported->failures = reported.count(now, window);
    if (question.reported->failures < service.spec.report_threshold) {
        reports_counted_.add();
    } else if (service.find(question.id)->status == model::HealthStatus::Unhealthy) {
        reports_known_.add();
    } else if (!reported.may_reconfirm(now) || !budget_.take(now)) {
        reports_limited_.add();
    } else {
        reported.reconfirmed(now);
        reports_reconfirmed_.add();
        return true;
    }
    return false;
}

// The verdict, if it is a new one, is in verdicts_ already: it is published before this is told.
void Writer::reconfirmed(std::uint64_t ticket, health::Reconfirmed result) {
    auto found = reconfirming_.extract(ticket);
    if (!found) return;  // the checker was let go
    Question question = std::move(found.mapped());
    Applied applied;
    applied.revision = question.revision;
    applied.verdict = status_of(result.status);
    applied.reported = question.reported;
    if (applied.reported && result.kind != health::Reconfirmed::Kind::Verdict) {
        // Who reports did not ask for probes: that others have just done so is no error.
        applied.reported->reconfirm = result.kind == health::Reconfirmed::Kind::Busy;
        applied.verdict.reset();
        result.kind = health::Reconfirmed::Kind::Verdict;
    }
    Outcome outcome = std::move(applied);
    switch (result.kind) {
        case health::Reconfirmed::Kind::Verdict:
            break;
        case health::Reconfirmed::Kind::Busy:
            outcome = std::unexpected(Refusal{
                Refusal::Kind::TooMany, "a reconfirmation of this endpoint is under way", {}});
            break;
        case health::Reconfirmed::Kind::RateLimited:
            outcome =
                std::unexpected(Refusal{Refusal::Kind::TooMany,
                                        "an endpoint is reconfirmed at most ten times a second",
                                        {}});
            break;
        case health::Reconfirmed::Kind::NotProbed:
            outcome = std::unexpected(
                Refusal{Refusal::Kind::Conflict, "the endpoint is not probed any more", {}});
            break;
    }
    answered_.push_back({std::move(question.done), std::move(outcome), {}});
}

void Writer::acknowledge(std::vector<Acknowledgement> acknowledgements,
                         const std::shared_ptr<const State>& state) {
    for (Acknowledgement& told : acknowledgements) {
        if (told.outcome) {
            told.outcome->state = state;
            if (told.drain) {
                const Service* service =
                    state->find_service(told.drain->namespace_name, told.drain->service);
                const model::Instance* instance = service ? service->find(told.drain->id) : nullptr;
                // A neighbour in the batch may have revived it already.
                told.outcome->safe_after =
                    instance && instance->drain
                        ? instance->drain->safe_after
                        : surely_safe_after({told.drain->namespace_name, told.drain->service});
            }
        }
        if (told.done) told.done(std::move(told.outcome));
    }
}

// ---- the rest

void Writer::set_followers(std::size_t count) {
    if (followers_.exchange(count) > count)
        last_followed_ = clock_.wall().time_since_epoch().count();
}

bool Writer::is_followed(const TtlsInForce& ttls, WallTime now) const {
    const auto longest = std::chrono::seconds(ttls.address() + ttls.srv);
    return followers_ > 0 || WallTime(Milliseconds(last_followed_)) + longest >= now;
}

std::string Writer::identity() const {
    const std::lock_guard lock(identity_mutex_);
    return identity_;
}

void Writer::on_time() {
    carry_out();
    if (not_before_ && *not_before_ <= clock_.steady()) {  // nothing waited: does it write again?
        remember(store_->check_writable());
        if (check_writable()) {
            not_before_.reset();
        } else {
            not_before_ = clock_.steady() + retry_after;
        }
    }
    if (!not_before_) write_times();
    set_timer();
}

void Writer::follow_all() {
    committed_->namespaces.for_each([&](const std::string& name, const auto& within) {
        within->services.for_each([&](const std::string& service_name, const auto& service) {
            watches_.follow({name, service_name}, nullptr, service.get(), *checker_);
        });
    });
    watched_.store(watches_.size(), std::memory_order_relaxed);
}

void Writer::write_times() {
    chronicle_.look_at_all(handed_out_, clock_.wall());
    if (!chronicle_.has_times_to_write()) return;
    auto outcome = store_->begin();
    if (outcome) outcome = chronicle_.write(*store_);
    if (outcome) outcome = store_->commit();
    if (!outcome) {
        store_->roll_back();
        not_before_ = clock_.steady() + retry_after;
    } else {
        chronicle_.written();
        not_before_.reset();
    }
    remember(std::move(outcome));
}

void Writer::set_timer() {
    const SteadyTime now = clock_.steady();
    Milliseconds after = sleep_max;
    const auto sooner = [&](Milliseconds other) { after = std::min(after, other); };
    if (!editions_.empty()) sooner(until(editions_.front().due, now));
    if (!held_back_.empty()) sooner(until(held_back_.begin()->first, now));
    if (not_before_) {
        sooner(std::max(Milliseconds(1), until(*not_before_, now)));
    } else if (const auto next = agenda_.next()) {
        sooner(std::max(Milliseconds(0), *next - clock_.wall()));
    }
    if (chronicle_.awaits_answers()) sooner(look_for_answers_every);
    if (chronicle_.has_times_to_write()) sooner(times_wait_max);
    timer_.start(std::max(Milliseconds(1), after));
}

TtlsInForce Writer::ttls_of(const State& state, const ServiceKey& key) const {
    const Namespace* within = state.find_namespace(key.namespace_name);
    const Service* service = state.find_service(key.namespace_name, key.service);
    if (!service || !within->spec.dns) return {0, 0, 0};
    return ttls_in_force(within->spec, service->spec);
}

// For the transaction of the deregistration itself: publication is still to come.
WallTime Writer::surely_safe_after(const ServiceKey& key) const {
    return handed_out_.surely_safe_after(key, ttls_of(*committed_, key),
                                         clock_.wall() + options_.publish_delay + retry_after);
}

std::vector<Metric> Writer::metrics() const {
    const auto count = [](const char* name, const char* help, std::uint64_t value) {
        return Metric{
            name, help, Metric::Kind::Counter, {{{}, static_cast<double>(value), {}}}, {}};
    };
    const auto gauge = [](const char* name, const char* help, std::uint64_t value) {
        return Metric{name, help, Metric::Kind::Gauge, {{{}, static_cast<double>(value), {}}}, {}};
    };
    const auto report = [](const char* result, const Counter& counter) {
        return Metric::Sample{{{"result", result}}, static_cast<double>(counter.value()), {}};
    };
    const auto state = state_.load();
    return {chronicle_.metric(),
            Metric{"dnsd_health_reports_total",
                   "Reports about instances by what came of them",
                   Metric::Kind::Counter,
                   {report("refused", reports_refused_), report("success", reports_of_success_),
                    report("counted", reports_counted_), report("known", reports_known_),
                    report("limited", reports_limited_), report("reconfirm", reports_reconfirmed_)},
                   {}},
            gauge("dnsd_registry_revision", "The revision that is visible", state->revision),
            gauge("dnsd_namespaces", "Namespaces that are registered", state->namespaces.size()),
            gauge("dnsd_checks_watched", "Instances that the checker watches",
                  watched_.load(std::memory_order_relaxed)),
            count("dnsd_registry_changes_total", "Changes that were submitted", changes_.value()),
            count("dnsd_registry_verdicts_total", "Verdicts that the checker reported",
                  verdicts_taken_.value()),
            count("dnsd_store_transactions_total", "Transactions that were committed",
                  transactions_.value()),
            count("dnsd_store_failures_total", "Transactions that failed", failures_.value())};
}

}  // namespace dnsd::registry
