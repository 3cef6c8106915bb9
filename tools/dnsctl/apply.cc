#include "tools/dnsctl/apply.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <cstdio>
#include <set>

#include "base/text.h"

namespace dnsd::ctl {

namespace {

Json json_of(const toml::node& node) {
    if (const auto* table = node.as_table()) {
        Json json = Json::object();
        for (const auto& [key, value] : *table) json[std::string(key.str())] = json_of(value);
        return json;
    }
    if (const auto* array = node.as_array()) {
        Json json = Json::array();
        for (const auto& value : *array) json.push_back(json_of(value));
        return json;
    }
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return number->get();
    if (const auto* number = node.as_floating_point()) return number->get();
    if (const auto* flag = node.as_boolean()) return flag->get();
    return nullptr;  // dates: the server says that the field wants something else
}

std::unexpected<Refusal> wrong(std::string message) {
    return std::unexpected(Refusal{0, std::move(message)});
}

class Application {
  public:
    Application(const Api& api, const ApplyOptions& options) : api_(api), options_(options) {}

    Result<void, Refusal> all(const Json& file) {
        for (const auto& [key, value] : file.items()) {
            if (key != "namespace")
                return wrong(fmt::format("'{}' is not known here; [[namespace]] is", key));
        }
        const Json namespaces = file.value("namespace", Json::array());
        if (auto judged = judge(namespaces, {"name", "service", "name", "instance", "id"}); !judged)
            return judged;
        for (const Json& one : namespaces) {
            if (auto done = one_namespace(one); !done) return done;
        }
        return {};
    }
    bool changed() const { return changed_; }

  private:
    // Whether every element has its key, before anything is changed: `levels` is the key of this
    // level, then the field of the next, its key, and so on.
    static Result<void, Refusal> judge(const Json& elements, std::vector<const char*> levels) {
        const std::string key = levels[0];
        if (!elements.is_array()) return wrong("namespace, service and instance are [[lists]]");
        for (const Json& element : elements) {
            if (!element.is_object() || !element.contains(key) || !element[key].is_string())
                return wrong(fmt::format("each {} needs '{}'",
                                         levels.size() == 5   ? "namespace"
                                         : levels.size() == 3 ? "service"
                                                              : "instance",
                                         key));
            if (levels.size() == 1 || !element.contains(levels[1])) continue;
            if (auto judged = judge(element[levels[1]], {levels.begin() + 2, levels.end()});
                !judged)
                return judged;
        }
        return {};
    }

    // The name or id of an element, and its children under `child`, which the server must not see.
    static std::pair<std::string, Json> taken_apart(Json& element, const char* key,
                                                    const char* child) {
        std::string name = element[key];
        Json children = Json::array();
        if (child && element.contains(child)) {
            children = element[child];
            element.erase(child);
        }
        return std::pair(std::move(name), std::move(children));
    }

    Result<void, Refusal> one_namespace(Json element) {
        const auto [name, services] = taken_apart(element, "name", "service");
        if (auto done = put("namespace " + name, namespace_path(name), element); !done) return done;
        std::set<std::string> wanted;
        for (const Json& service : services) {
            if (auto done = one_service(name, service, wanted); !done) return done;
        }
        return options_.prune ? prune_services(name, wanted) : Result<void, Refusal>();
    }

    Result<void, Refusal> one_service(const std::string& within, Json element,
                                      std::set<std::string>& wanted) {
        const auto [name, instances] = taken_apart(element, "name", "instance");
        wanted.insert(lower_cased(name));
        if (auto done = put(fmt::format("service {} in {}", name, within),
                            service_path(within, name), element);
            !done)
            return done;
        std::set<std::string> ids;
        for (Json instance : instances) {
            const std::string id = taken_apart(instance, "id", nullptr).first;
            ids.insert(id);
            if (auto done = put(fmt::format("instance {} of {}", id, name),
                                instance_path(within, name, id), instance);
                !done)
                return done;
        }
        return options_.prune ? prune_instances(within, name, ids) : Result<void, Refusal>();
    }

    Result<void, Refusal> put(const std::string& what, const std::string& path, const Json& body) {
        if (options_.dry_run) {
            const auto reply = api_.send("PUT", path + "?dry_run=true", body);
            // What it stands in is not there yet either.
            if (!reply && reply.error().status == 404) {
                tell("would create", what);
                return {};
            }
            if (!reply) return refused(what, reply.error());
            const std::string would = reply->body.value("would", "");
            if (would != "nothing") tell("would " + would, what);
            return {};
        }
        const auto before = api_.get(path);
        const Json old = before ? before->body.value("revision", Json()) : Json();
        const auto reply = api_.send("PUT", path, body);
        if (!reply) return refused(what, reply.error());
        if (reply->status == 201) {
            tell("created", what);
        } else if (reply->body.value("revision", Json()) != old ||
                   (before && before->body.value("status", "") == "draining")) {
            tell("changed", what);
        }
        return {};
    }

    Result<void, Refusal> prune_services(const std::string& within,
                                         const std::set<std::string>& wanted) {
        const auto names = list(namespace_path(within) + "/services", "services", "name");
        if (!names) return std::unexpected(names.error());
        for (const std::string& name : *names) {
            if (wanted.contains(lower_cased(name))) continue;
            if (auto done = prune_instances(within, name, {}); !done) return done;
            const std::string what = fmt::format("service {} in {}", name, within);
            if (options_.dry_run) {
                tell("would delete", what);
                continue;
            }
            const auto reply = api_.send("DELETE", service_path(within, name));
            if (reply) {
                tell("deleted", what);
            } else if (reply.error().status == 409) {
                std::printf("%s stays for now: %s\n", what.c_str(), reply.error().message.c_str());
            } else {
                return refused(what, reply.error());
            }
        }
        return {};
    }

    Result<void, Refusal> prune_instances(const std::string& within, const std::string& service,
                                          const std::set<std::string>& wanted) {
        const auto ids =
            list(service_path(within, service) + "/instances", "instances", "id", "draining");
        if (!ids && ids.error().status == 404) return {};  // a dry run of what is not there yet
        if (!ids) return std::unexpected(ids.error());
        for (const std::string& id : *ids) {
            if (wanted.contains(id)) continue;
            const std::string what = fmt::format("instance {} of {}", id, service);
            if (options_.dry_run) {
                tell("would deregister", what);
                continue;
            }
            const auto reply = api_.send("DELETE", instance_path(within, service, id));
            if (!reply) return refused(what, reply.error());
            tell("deregistered", what);
        }
        return {};
    }

    // All pages; without those that have the status `but`.
    Result<std::vector<std::string>, Refusal> list(const std::string& path, const char* under,
                                                   const char* key, std::string_view but = "") {
        std::vector<std::string> found;
        std::string token;
        do {
            const auto reply =
                api_.get(path + (token.empty() ? "" : "?page_token=" + percent_encoded(token)));
            if (!reply) return std::unexpected(reply.error());
            for (const Json& one : reply->body.value(under, Json::array())) {
                if (but.empty() || one.value("status", "") != but)
                    found.push_back(one.value(key, ""));
            }
            token = reply->body.value("next_page_token", "");
        } while (!token.empty());
        return found;
    }

    void tell(const std::string& verb, const std::string& what) {
        std::printf("%s %s\n", verb.c_str(), what.c_str());
        changed_ = true;
    }

    static std::unexpected<Refusal> refused(const std::string& what, const Refusal& refusal) {
        return std::unexpected(Refusal{refusal.status, what + ": " + refusal.message});
    }

    const Api& api_;
    const ApplyOptions& options_;
    bool changed_ = false;
};

}  // namespace

Result<Json> read_apply_file(const std::string& path) {
    try {
        return json_of(toml::parse_file(path));
    } catch (const toml::parse_error& error) {
        const auto line = error.source().begin.line;
        return fail(line == 0 ? fmt::format("{}: {}", path, error.description())
                              : fmt::format("{}:{}: {}", path, line, error.description()));
    }
}

Result<bool, Refusal> apply(const Api& api, const Json& file, const ApplyOptions& options) {
    Application application(api, options);
    if (auto done = application.all(file); !done) return std::unexpected(done.error());
    return application.changed();
}

}  // namespace dnsd::ctl
