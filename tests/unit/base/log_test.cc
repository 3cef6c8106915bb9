#include "base/log.h"

#include <doctest/doctest.h>

using namespace dnsd;

TEST_CASE("a value from outside cannot write a line or a key of the log") {
    CHECK(log::quoted("web") == "web");
    CHECK(log::quoted("") == "\"\"");
    CHECK(log::quoted("a b") == "\"a b\"");
    CHECK(log::quoted("x\nlevel=error") == "\"x\\u000alevel=error\"");
    CHECK(log::quoted("say \"hi\"") == "\"say \\\"hi\\\"\"");
}
