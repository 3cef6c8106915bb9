# What every target of ours is built with, and one function per kind of target.

add_library(dnsd_flags INTERFACE)
target_compile_options(dnsd_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow)
target_include_directories(dnsd_flags INTERFACE ${PROJECT_SOURCE_DIR})
# What every server of the last fifteen years has; SSE4.2 and popcnt are in it.
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    add_compile_options(-march=x86-64-v2)
    # A name of 256 octets is copied sooner by a call than by `rep movs`, which takes long to begin.
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        add_compile_options(-mmemcpy-strategy=libcall:-1:noalign -mmemset-strategy=libcall:-1:noalign)
    endif()
endif()
if(DNSD_SANITIZE)
    add_compile_options(-fsanitize=${DNSD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${DNSD_SANITIZE})
endif()

# dnsd_room(wire SOURCES name.cc ... LINK dnsd_base): a library of one room.
function(dnsd_room room)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
    add_library(dnsd_${room} STATIC ${ARG_SOURCES})
    target_link_libraries(dnsd_${room} PUBLIC ${ARG_LINK} PRIVATE dnsd_flags ${ARG_PRIVATE_LINK})
    target_include_directories(dnsd_${room} PUBLIC ${PROJECT_SOURCE_DIR})
endfunction()

# dnsd_unit_test(wire SOURCES name_test.cc ... LINK dnsd_wire [CONCURRENCY]): one doctest program,
# `unit_wire`, and one ctest entry. CONCURRENCY adds it to what TSan builds and runs.
function(dnsd_unit_test room)
    cmake_parse_arguments(ARG "CONCURRENCY" "" "SOURCES;LINK" ${ARGN})
    set(target unit_${room})
    add_executable(${target} ${ARG_SOURCES})
    target_link_libraries(${target} PRIVATE dnsd_test_main ${ARG_LINK} dnsd_flags)
    add_test(NAME unit.${room} COMMAND ${target})
    set_tests_properties(unit.${room} PROPERTIES LABELS "unit" TIMEOUT 300)
    if(ARG_CONCURRENCY)
        set_tests_properties(unit.${room} PROPERTIES LABELS "unit;concurrency")
        add_dependencies(concurrency_tests ${target})
    endif()
endfunction()

# dnsd_fuzz_target(wire_message SOURCES message_fuzz.cc LINK dnsd_wire): with DNSD_FUZZ a libFuzzer
# program; otherwise a program that replays the corpus in tests/fuzz/corpus/<name>, run by ctest.
function(dnsd_fuzz_target name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    set(target fuzz_${name})
    if(DNSD_FUZZ)
        add_executable(${target} ${ARG_SOURCES})
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    else()
        add_executable(${target} ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/support/replay_corpus.cc)
        add_test(NAME fuzz.${name} COMMAND ${target} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
        set_tests_properties(fuzz.${name} PROPERTIES LABELS "fuzz" TIMEOUT 300)
    endif()
    target_link_libraries(${target} PRIVATE ${ARG_LINK} dnsd_flags)
endfunction()

# dnsd_bench(tree SOURCES publish_bench.cc LINK dnsd_tree): a program `bench_tree`, run by tools/bench or by hand;
# built with the tests too, so that none falls behind.
function(dnsd_bench name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    add_executable(bench_${name} ${ARG_SOURCES})
    target_link_libraries(bench_${name} PRIVATE ${ARG_LINK} dnsd_flags)
    add_dependencies(benches bench_${name})
endfunction()
