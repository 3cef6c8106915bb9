#include "dnsd/api/problem.h"

#include "dnsd/api/codec.h"

namespace dnsd::api {

std::string_view title_of(int status) noexcept {
    switch (status) {
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 409:
            return "Conflict";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 415:
            return "Unsupported Media Type";
        case 421:
            return "Misdirected Request";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 503:
            return "Service Unavailable";
        default:
            return "Internal Server Error";
    }
}

Problem problem_of(const registry::Refusal& refusal) {
    const auto status = [&] {
        // What a change of record sets took for granted, and somebody has just changed.
        if (refusal.rcode == wire::Rcode::NxRrset) return 404;
        if (refusal.rcode == wire::Rcode::YxRrset) return 409;
        switch (refusal.kind) {
            case registry::Refusal::Kind::NotFound:
                return 404;
            case registry::Refusal::Kind::Conflict:
                return 409;
            case registry::Refusal::Kind::PreconditionFailed:
                return 412;
            case registry::Refusal::Kind::Unprocessable:
                return 422;
            case registry::Refusal::Kind::TooMany:
                return 429;
            case registry::Refusal::Kind::Unavailable:
                return 503;
        }
        return 500;
    };
    return {status(), refusal.detail, refusal.errors};
}

Reply reply_of(const Problem& problem) {
    Reply reply{problem.status, print_problem(problem), "application/problem+json", {}};
    if (problem.status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
    if (problem.status == 429 || problem.status == 503)
        reply.headers.emplace_back("Retry-After", "1");
    return reply;
}

}  // namespace dnsd::api
