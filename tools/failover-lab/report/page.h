// report.html: one file that needs nothing else. Its parts are page.html, page.css and page.js
// beside this header, and d3 as Debian ships it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.h"
#include "tools/failover-lab/report/results.h"

namespace dnsd::lab {

// What the page draws: the summary, and beside it
//   runs[]    the runs' numbers and marks, from the fault; `cell` is an index into cells
//   points{}  by the index of a cell, of its representative run: t l (milliseconds from the fault,
//   of
//             latency), o (index into outcomes), i (instance, -1 nobody), each an array
//   curves[] fleet{} samples[] fields[] outcomes[]
nlohmann::json page_data(const Results& results, const std::string& out);

// The error says which part is missing.
Result<std::string> page(const Results& results, const std::string& out);

// In the page's parts `@NAME@` stands for a text that is put in. `json` ends in no element of HTML.
std::string escaped_for_script(std::string json);

}  // namespace dnsd::lab
