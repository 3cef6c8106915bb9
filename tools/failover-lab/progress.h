// What a person sees of a suite while it runs: on a terminal one line that is written anew,
// elsewhere a line now and then. On standard error.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace dnsd::lab {

class Progress {
  public:
    Progress();
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // Call it as often as you like.
    void show(std::size_t done, std::size_t all, double seconds_left,
              const std::vector<std::string>& running);
    // A line that stays.
    void say(const std::string& line);

  private:
    void clear();

    bool terminal_;
    bool shown_ = false;  // on a terminal: our line is there
    std::chrono::steady_clock::time_point next_{};
};

}  // namespace dnsd::lab
