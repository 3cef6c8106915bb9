#include "tools/failover-lab/doctor.h"

#include <fmt/format.h>

#include <filesystem>

#include "tools/failover-lab/equipment.h"
#include "tools/failover-lab/rig/ways.h"
#include "tools/failover-lab/suite.h"
#include "tools/failover-lab/worker.h"

namespace dnsd::lab {
namespace {

class Doctor {
  public:
    explicit Doctor(const Equipment& equipment) : equipment_(equipment) {}

    std::string print() {
        text_ = describe_machine() + "\n\n";
        print_namespaces();
        print_programs();
        print_disk();
        print_ways();
        print_stubs();
        text_ += problems_ == 0
                     ? "\nAll is there.\n"
                     : fmt::format(
                           "\n{} are missing; what needs none of them is measured all "
                           "the same. tools/lab installs what it can.\n",
                           problems_ == 1 ? "One thing" : fmt::format("{} things", problems_));
        return std::move(text_);
    }

  private:
    void good(std::string_view name, std::string_view words) {
        text_ += fmt::format("  ok       {:<18} {}\n", name, words);
    }
    void bad(std::string_view name, std::string_view words) {
        ++problems_;
        text_ += fmt::format("  MISSING  {:<18} {}\n", name, words);
    }
    void program(std::string_view name, const std::string& path, std::string_view cost) {
        path.empty() ? bad(name, cost) : good(name, path);
    }

    void print_namespaces();
    void print_programs();
    void print_disk();
    void print_ways();
    void print_stubs();

    const Equipment& equipment_;
    std::string text_;
    int problems_ = 0;
};

void Doctor::print_namespaces() {
    text_ += "Namespaces\n";
    const Isolation isolation = find_isolation();
    if (isolation.command.empty()) {
        bad("namespaces", fmt::format("{}: nothing can be measured, reports come from the model",
                                      isolation.problem));
    } else if (isolation.command.back() == "--map-root-user") {
        good("namespaces",
             "of a user, not of root: software that wants an account of its own may not run");
    } else {
        good("namespaces", "of root");
    }
}

void Doctor::print_programs() {
    text_ += "Programs\n";
    program("dnsd", equipment_.dnsd, "nothing can be measured: tools/build release");
    program("dnsd-agent", equipment_.agent, "without it: no cache is emptied, HAProxy is not told");
    program("ip", find_program("ip"), "nothing can be measured: it is in iproute2");
    program("unshare", find_program("unshare"), "nothing can be measured: it is in util-linux");
    const std::string nft = find_program("nft");
    program("nft", nft, "the fault `drop` does not come about: it is in nftables");
    program("runtimes", equipment_.runtimes,
            "the stubs jvm and node: it is a folder of the repository");
    program("unpacked", equipment_.unpacked, "nscd and systemd-resolved: tools/unpack");
}

void Doctor::print_disk() {
    std::error_code problem;
    const auto space = std::filesystem::space(".", problem);
    const auto megabytes = problem ? 0 : space.available >> 20;
    const std::string words = fmt::format("{} MB free here", megabytes);
    text_ += "Disk\n";
    megabytes < 500 ? bad("disk", words + "; the standard suite wants 500 MB")
                    : good("disk", words);
}

void Doctor::print_ways() {
    text_ += "Ways\n";
    for (const Way& way : ways()) {
        const std::string missing = missing_for(way, equipment_);
        missing.empty() ? good(way.name, way.title)
                        : bad(way.name, missing + ": its cells are skipped");
    }
}

void Doctor::print_stubs() {
    text_ += "Stubs\n";
    for (const SettingField& field : setting_fields()) {
        if (field.name != "stub") continue;
        for (const std::string_view stub : field.choices) {
            if (stub.empty()) continue;
            const std::string missing = missing_for_stub(stub, equipment_);
            missing.empty() ? good(stub, "as it comes")
                            : bad(stub, missing + ": its cells are skipped");
        }
    }
}

}  // namespace

std::string print_doctor(const Equipment& equipment) { return Doctor(equipment).print(); }

}  // namespace dnsd::lab
