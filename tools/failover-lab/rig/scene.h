// Inside the namespaces of one run: an own network, own mounts, own processes. Everything in it
// ends with the run's first process, whatever ends that.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/failover-lab/model/setting.h"
#include "tools/failover-lab/rig/child.h"

namespace dnsd::lab {

// Where things are. An instance `n` (from 0) is on 127.0.1.<n+1>, port 8080, with the id "i-<n+1>".
// The proxy of client `k` is on 127.0.9.<k+1>, port 15001, its admin page or socket beside it.
namespace at {
inline constexpr std::string_view zone = "lab.internal", service = "web", late_service = "late";
inline constexpr std::string_view dnsd = "192.0.2.53";  // port 53
inline constexpr std::string_view api = "127.0.0.1:8053";
inline constexpr std::string_view cache = "127.0.0.53";  // port 53: what resolv.conf names then
inline constexpr std::uint16_t instance_port = 8080, proxy_port = 15001;
std::string instance(int n);
std::string proxy(int client);
}  // namespace at

// The programs and files that a lab runs with: found once, outside.
struct Equipment {
    std::string dnsd, agent, envoy;  // paths; envoy may be empty
    std::string unpacked;            // build/unpacked, with nscd and systemd-resolved
    std::string runtimes;            // tools/failover-lab/rig/runtimes
    std::string self;                // this program
    std::string classes;             // the folder of Lookup.class; may be empty
};

class Scene {
  public:
    // Makes the network: loopback, a veth pair with 192.0.2.53 on it, 127.0.0.53. Folders /run and
    // /var/cache are empty ones. REQUIRES: we are in namespaces of our own, as their root.
    static Result<std::unique_ptr<Scene>> make(Setting setting, Equipment equipment,
                                               std::string folder);
    ~Scene();

    const Setting& setting() const noexcept { return setting_; }
    const Equipment& equipment() const noexcept { return equipment_; }
    const std::string& folder() const noexcept { return folder_; }  // absolute; logs are in it

    // Over the machine's folder there is an empty one of ours; missing ones are made only inside
    // folders that already are ours.
    Result<> own_folder(const std::string& path);
    // Over the machine's file (or a new one) there is one of ours.
    Result<> own_file(const std::string& path, const std::string& text);
    Result<> write(const std::string& path, const std::string& text);
    // What /etc/resolv.conf names: at::dnsd at first.
    Result<> resolve_at(std::string_view address);
    const std::string& resolver() const noexcept { return resolver_; }

    // Starts a program whose output goes to <folder>/<name>.log. It is found in Debian's PATH.
    // `part` is what it counts as in costs: "proxy", "cache", "dnsd", "agent", "instance",
    // "client".
    Result<Child*> spawn(const std::string& name, const std::string& part,
                         std::vector<std::string> command, ChildOptions options = {});
    Child* child(const std::string& name) noexcept;  // null: there is none
    const std::map<std::string, std::unique_ptr<Child>>& children() const noexcept {
        return children_;
    }

    // Asks every few milliseconds; the error says what was waited for in vain, and quotes the end
    // of the logs of children that have ended.
    Result<> wait_until(const std::string& what, const std::function<bool()>& condition,
                        double seconds = 10);
    // Runs a program to its end; what it prints. The error quotes what it complains of.
    Result<std::string> run(std::vector<std::string> command, double seconds = 10);

    // A real dnsd, ready to answer: name "dnsd" is the centre (on at::dnsd and at::api); others
    // have other addresses in `settings` ("dns.listen=[...]").
    Result<> start_dnsd(const std::string& name, std::vector<std::string> settings);
    Result<> start_agent(const std::string& name, std::vector<std::string> settings);
    // One request to the centre's API: the body. Replies other than 2xx are errors.
    Result<std::string> api(const std::string& method, const std::string& path,
                            const std::string& body = "");
    // UDP question and wait: true if the server answers NOERROR with an address.
    bool answers(std::string_view server, const std::string& name) const;
    bool listens(std::string_view address, std::uint16_t port) const;  // TCP

    std::map<std::string, std::string> versions;  // of what takes part, for the record

  private:
    Scene(Setting setting, Equipment equipment, std::string folder);
    Result<> wait_for_file(Child& child, const std::string& path);

    Setting setting_;
    Equipment equipment_;
    std::string folder_, resolver_;
    std::map<std::string, std::unique_ptr<Child>> children_;
};

}  // namespace dnsd::lab
