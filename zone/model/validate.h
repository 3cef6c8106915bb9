// What a specification must fulfil by itself. What depends on others (a name that is taken, an
// address that the service's records need) is the registry's to say.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "zone/model/types.h"

namespace dnsd::model {

// One bad field: a JSON pointer into the document that named it (RFC 6901), and what is allowed
// there.
struct FieldError {
    std::string pointer;
    std::string detail;
    bool operator==(const FieldError&) const = default;
};

// Empty: it is allowed. Names are judged as DNS names where `dns` is set. Cloud Map's patterns and
// limits hold for names and attributes (30 of them, keys 255, values 1,024, together 5,000 octets).
std::vector<FieldError> validate(const NamespaceSpec& spec);
std::vector<FieldError> validate(const ServiceSpec& spec);
std::vector<FieldError> validate(const InstanceSpec& spec);

// The label under which an instance is found (BEHAVIOUR §1): its id where that is a label already,
// otherwise an escaped form with eight hex digits of its SHA-256. Never changes between versions.
std::string instance_label(std::string_view id);

}  // namespace dnsd::model
