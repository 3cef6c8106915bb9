// Where a client gets addresses from, before each connection: its stub resolver, a cache in its own
// process, a list that it polls, or no more than the address of its proxy.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/io/loop.h"
#include "base/result.h"
#include "tools/failover-lab/rig/scene.h"

namespace dnsd::lab {

struct Addresses {
    bool answered = false;            // false: nobody could say
    std::vector<SocketAddress> list;  // empty: the name has none
};

// Belongs to its loop's thread.
class AddressSource {
  public:
    using Done = std::function<void(const Addresses&)>;
    virtual ~AddressSource() = default;

    // `done` is called once, perhaps from inside. Any number may be under way.
    virtual void resolve(Done done) = 0;
    // When what it has now was fetched, where it keeps something. Any thread may ask.
    virtual std::optional<SteadyTime> last_fetch() const { return std::nullopt; }
};

// The one address of a proxy.
std::unique_ptr<AddressSource> fixed_source(SocketAddress address);

// A cache that honours TTLs to the millisecond, negative ones too (RFC 2308), and asks `server`
// over UDP for A: twice at most, a second apart. What it could not get it does not have.
std::unique_ptr<AddressSource> ttl_cache(io::Loop& loop, SocketAddress server, std::string name,
                                         std::uint16_t port);

// A program that resolves as its libc or runtime does: "ID NAME" into its input, "ID ok ADDRESS..."
// or "ID failed WHY" out of its output, in any order. REQUIRES: `child` has pipes, and outlives it.
std::unique_ptr<AddressSource> program_source(io::Loop& loop, Child& child, std::string name,
                                              std::uint16_t port);

// The healthy instances of the service by the centre's API, every so many seconds, the first time
// at once; it keeps what it has when nobody answers.
std::unique_ptr<AddressSource> api_poller(io::Loop& loop, double interval, std::string service);

// The command of the program that a stub's words mean: "glibc", "cares", "jvm", "node".
Result<std::vector<std::string>> stub_command(std::string_view stub, const Equipment& equipment);

// `failover-lab resolve glibc|cares`: the other side of program_source(). Returns when its input
// ends.
Result<> serve_stub(std::string_view stub);

}  // namespace dnsd::lab
