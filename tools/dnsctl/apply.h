// A file of namespaces, services and instances, brought about: what is there already stays as it
// is.
//
//   [[namespace]]                        fields as in PUT /v1/namespaces/NAME, and
//   name = "demo.internal"
//     [[namespace.service]]              as in PUT .../services/NAME
//     name = "web"
//     check = {type = "http"}
//       [[namespace.service.instance]]   as in PUT .../instances/ID
//       id = "i-1"
//       ipv4 = "192.0.2.1"
#pragma once

#include <string>

#include "tools/dnsctl/api.h"

namespace dnsd::ctl {

struct ApplyOptions {
    bool dry_run = false;  // only says what it would do
    bool prune = false;    // deregisters and deletes what the file's namespaces hold besides
};

// The file as JSON: {"namespace": [...]}; the error names file, line and what is wrong.
Result<Json> read_apply_file(const std::string& path);

// Prints a line for each thing that changed. Returns whether any did.
Result<bool, Refusal> apply(const Api& api, const Json& file, const ApplyOptions& options);

}  // namespace dnsd::ctl
