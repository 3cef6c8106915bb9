// /openapi.json: the routes as OpenAPI 3.1 describes them, made from the table.
#pragma once

#include <string>
#include <string_view>

namespace dnsd::api {

std::string print_openapi(std::string_view version);

}  // namespace dnsd::api
