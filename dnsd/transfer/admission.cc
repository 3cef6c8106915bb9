#include "dnsd/transfer/admission.h"

#include <algorithm>
#include <string>

namespace dnsd::transfer {

bool is_admitted(std::span<const model::Admission> list, const IpAddress& client,
                 const wire::Name* key) {
    const std::string signed_by = key != nullptr ? key->lower_cased().print() : std::string();
    return std::ranges::any_of(list, [&](const model::Admission& one) {
        if (!one.network && one.key.empty()) return false;  // it says nothing
        return (!one.network || one.network->contains(client)) &&
               (one.key.empty() || (key != nullptr && one.key == signed_by));
    });
}

}  // namespace dnsd::transfer
