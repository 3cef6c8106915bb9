// The faults, a row each: what happens to whom, and when. Pure; rig/run_inside.cc carries them out.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/failover-lab/model/setting.h"

namespace dnsd::lab {

// Something that happens during a run.
struct Action {
    // The words that a plan is made of.
    //   refuse      the process is killed: connections get RST
    //   hang        the process is stopped (SIGSTOP): connections are taken, nothing comes
    //   drop        packets to it vanish
    //   sick        its health endpoint answers 503, requests are served
    //   gray        requests get 503, health is fine
    //   slow        every answer comes 0.4 s late, health included
    //   well        the end of any of these; a killed one is started anew
    //   deregister, register   over dnsd's API; with instance -1 all of them
    //   dnsd_down, dnsd_up, store_lost, proxy_down, proxy_up, agent_down
    //   first_request   from now on clients ask for the service (fault `born`)
    double at = 0;     // from the fault; in a RunRecord on the run's clock
    int instance = 0;  // index; -1: what changes is no instance
    std::string what;
};

struct Fault {
    std::string_view name;      // as suites say it
    std::string_view title;     // as people read it: "an instance is killed (RST)"
    std::string_view about;     // a sentence for the report: what happens, and what is counted
    bool of_discovery = false;  // dnsd, proxy or agent is hit, no instance
    // In the order of time; the first at 0. Times that depend on the run (`safe_after`) are the
    // longest that they can be.
    std::vector<Action> (*plan)(const Setting& setting);
    // Seconds of load after the last action at least; 0: what the model expects decides.
    double (*watch)(const Setting& setting);
};

std::span<const Fault> faults();
const Fault* find_fault(std::string_view name) noexcept;

}  // namespace dnsd::lab
