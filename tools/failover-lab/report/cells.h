// From runs to cells and pairs. Pure.
#pragma once

#include "tools/failover-lab/report/results.h"

namespace dnsd::lab {

// REQUIRES: the run is predicted and scored. Splits its window by its marks: the parts add up to
// it; and sets `share_after`.
void decompose(RunResult& run);
// Why a run that was read does not count; empty: it does.
std::string why_invalid(const RunResult& run);

// REQUIRES: `cell.runs` names the cell's runs in the order of their numbers, a repetition after its
// first.
void sum_up(CellResult& cell, const std::vector<RunResult>& runs);
// What a cell that was not measured shows.
void fill_from_model(CellResult& cell);

PairResult compare(const Pair& pair, const CellResult& a, const CellResult& b,
                   const std::vector<RunResult>& runs);

}  // namespace dnsd::lab
