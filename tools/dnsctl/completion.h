// Completion scripts for shells, made from the commands themselves.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace dnsd::ctl {

// "bash", "zsh" or "fish"; empty for any other.
std::string print_completion(const CLI::App& app, const std::string& shell);

}  // namespace dnsd::ctl
