// Rows with a value of their own in every field, and a folder that goes with the test.
#pragma once

#include <string>

#include "zone/store/store.h"

namespace dnsd::store {

struct Folder {
    Folder();
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string path;
    std::string file() const { return path + "/zone.db"; }
};

NamespaceRow full_namespace();
ServiceRow full_service();    // in that namespace
InstanceRow full_instance();  // of that service
model::Event full_event(model::Revision revision);

// A plain instance of the service, one among many.
InstanceRow numbered_instance(int number);

// Opens, or ends the test.
std::unique_ptr<Store> must_open(const std::string& path, std::uint64_t events_keep = 100'000);

std::string octets_of(const std::string& path);
void write_octets(const std::string& path, const std::string& octets);

}  // namespace dnsd::store
