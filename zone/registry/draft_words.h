// What the files of Draft share: how they refuse, and how they say what they did.
#pragma once

#include <fmt/core.h>

#include <algorithm>

#include "zone/registry/draft.h"

namespace dnsd::registry {

inline std::unexpected<Refusal> refuse(Refusal::Kind kind, std::string detail,
                                       std::vector<model::FieldError> errors = {}) {
    return std::unexpected(Refusal{kind, std::move(detail), std::move(errors)});
}

inline std::unexpected<Refusal> no_namespace(const std::string& name) {
    return refuse(Refusal::Kind::NotFound, fmt::format("there is no namespace {}", name));
}

// If-Match and If-None-Match (RFC 9110 §13.1); `current` is nothing where the resource is not
// there.
inline std::optional<Refusal> precondition(const Change& change,
                                           std::optional<model::Revision> current) {
    if (change.if_none_match && current)
        return Refusal{Refusal::Kind::PreconditionFailed,
                       fmt::format("it is there already, with revision {}", *current),
                       {}};
    if (change.if_match && !current)
        return Refusal{Refusal::Kind::PreconditionFailed, "it is not there", {}};
    if (change.if_match && *change.if_match != *current)
        return Refusal{
            Refusal::Kind::PreconditionFailed, fmt::format("its revision is {}", *current), {}};
    return std::nullopt;
}

inline auto position(const std::vector<std::shared_ptr<const model::Instance>>& instances,
                     std::string_view id) {
    return std::ranges::lower_bound(
        instances, id, {},
        [](const auto& instance) -> std::string_view { return instance->spec.id; });
}

inline Applied applied(model::Revision revision, bool created = false) {
    Applied out;
    out.revision = revision;
    out.created = created;
    out.changed = true;
    return out;
}

inline Applied unchanged(model::Revision revision) {
    Applied out;
    out.revision = revision;
    return out;
}

}  // namespace dnsd::registry
