// Errors as clients see them: problem documents (RFC 9457).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dnsd/api/exchange.h"
#include "zone/model/validate.h"
#include "zone/registry/registry.h"
#include "zone/tree/master_file.h"

namespace dnsd::api {

struct Problem {
    int status;
    std::string detail;
    std::vector<model::FieldError> errors = {};
    std::vector<tree::FileProblem> in_file = {};  // of a body that is a zone file
};

std::string_view title_of(int status) noexcept;  // "Not Found"
Problem problem_of(const registry::Refusal& refusal);
Reply reply_of(const Problem& problem);

}  // namespace dnsd::api
