// Resources as JSON, both ways. What is read is checked field by field: type, bounds, and that no
// field is there that nobody knows; each error has a JSON pointer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dnsd/api/problem.h"
#include "zone/model/event.h"
#include "zone/model/types.h"
#include "zone/registry/registry.h"
#include "zone/registry/state.h"
#include "zone/tree/master_file.h"
#include "zone/wire/tsig.h"

namespace dnsd::api {

// Fields that a resource shows and nobody can set may come back: they are not looked at. A name or
// id in the body must be that of the path.
Result<model::NamespaceSpec, Problem> decode_namespace(std::string_view body, std::string name,
                                                       const model::Defaults& defaults);
Result<model::ServiceSpec, Problem> decode_service(std::string_view body,
                                                   std::string namespace_name, std::string name,
                                                   const model::Defaults& defaults);
Result<model::InstanceSpec, Problem> decode_instance(std::string_view body, std::string id);
Result<std::vector<model::InstanceSpec>, Problem> decode_instances(std::string_view body);
Result<model::HealthStatus, Problem> decode_health(std::string_view body);
// Without a secret, if the body has none.
Result<wire::TsigKey, Problem> decode_key(std::string_view body, const wire::Name& name);
// Without names.
Result<registry::Report, Problem> decode_report(std::string_view body);

std::string print(const registry::Namespace& within);
// The same, with the warnings about the zone file that it came in.
std::string print(const registry::Namespace& within, const tree::MasterFile& file);
// What a zone file would do: "create", "change" or "nothing"; and the warnings.
std::string print_verdict(std::string_view would, const tree::MasterFile& file);
std::string print(const registry::Namespace& within, const registry::Service& service);
std::string print(const model::Instance& instance);
std::string print(const model::Event& event);
std::string quoted_json(std::string_view text);  // with its quotes
std::string print_problem(const Problem& problem);

}  // namespace dnsd::api
