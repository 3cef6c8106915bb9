// Text made of a service's members: a template of our own, small enough to know by heart.
//
//   template = *( text / "{{" key "}}" / section )
//   section  = "{{#instances}}" template "{{/instances}}"   ; once for each member
//            / "{{^instances}}" template "{{/instances}}"   ; if there is none
//   key      = "namespace" / "service"                      ; anywhere
//            / "id" / "address" / "port" / "weight" / "endpoint"  ; inside {{#instances}}
//
// A line that holds nothing but a section's tag is left out whole.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "tools/agent/service.h"

namespace dnsd::agent {

Result<std::string> render_template(std::string_view text, const ServiceKey& service,
                                    const Members& members);

// The formats that need no file.
std::string render_json(const ServiceKey& service, const Members& members);
// upstream demo_internal_web { server 192.0.2.1:8080 weight=1; ... }
std::string render_nginx(const ServiceKey& service, const Members& members);

}  // namespace dnsd::agent
