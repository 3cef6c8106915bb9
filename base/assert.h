// Our own mistakes end the process, in every build: a server that goes on from a broken invariant
// gives wrong answers. One cheap fact each; never for input from outside.
#pragma once

#include <cstdio>
#include <cstdlib>

#define DNSD_ASSERT(fact)                                                           \
    do {                                                                            \
        if (!(fact)) [[unlikely]] {                                                 \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #fact); \
            std::abort();                                                           \
        }                                                                           \
    } while (false)
