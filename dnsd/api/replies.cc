#include "dnsd/api/replies.h"

#include <fmt/format.h>

#include "dnsd/api/problem.h"

namespace dnsd::api {

Reply with_etag(std::string body, model::Revision revision, bool created) {
    return {created ? 201 : 200,
            std::move(body),
            "application/json",
            {{"ETag", fmt::format("\"{}\"", revision)}}};
}

Reply deleted(const registry::Applied& applied) {
    return {200, fmt::format(R"({{"revision":{}}})", applied.revision)};
}

Reply gone_again() { return reply_of({409, "it was deleted at the same moment"}); }

Reply would(const char* what) { return {200, fmt::format(R"({{"would":"{}"}})", what)}; }

}  // namespace dnsd::api
