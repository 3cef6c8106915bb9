// The first line of every benchmark: where its figures are from.
#pragma once

#include <sys/utsname.h>

#include <cstdio>
#include <thread>

namespace dnsd::test {

inline void print_machine() {
    utsname machine{};
    uname(&machine);
    std::printf("%s %s %s, %u cores, g++ %s\n", machine.sysname, machine.release, machine.machine,
                std::thread::hardware_concurrency(), __VERSION__);
}

}  // namespace dnsd::test
