// SQLite's objects with owners. For this room alone. All belong to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace dnsd::store {

// One connection to one file. Outlives its statements.
class Connection {
  public:
    enum class Mode { ReadOnly, ReadWrite, Create };
    static Result<std::unique_ptr<Connection>> open(const std::string& path, Mode mode);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    Result<> execute(const std::string& sql);             // statements without parameters
    Result<std::int64_t> number(const std::string& sql);  // the first column of the first row
    Result<std::string> text(const std::string& sql);     // the same, as text
    bool in_transaction() const noexcept;

    // By default the last connection that closes moves the write-ahead log into the file. Without
    // it, closing changes nothing.
    void checkpoint_on_close(bool wanted) noexcept;

    // What the last call's result code means, with the system's own words where there are some.
    Error error(int code) const;
    sqlite3* raw() const noexcept { return connection_; }

  private:
    explicit Connection(sqlite3* connection) : connection_(connection) {}
    sqlite3* connection_;
};

// A prepared statement: bind from 1 on, step, read from column 0 on, reset.
class Statement {
  public:
    static Result<std::unique_ptr<Statement>> prepare(const Connection& connection,
                                                      std::string_view sql);
    ~Statement();
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    // Copies what it is given. A failure shows in the next step.
    void bind(int at, std::int64_t value) noexcept;
    void bind(int at, double value) noexcept;
    void bind(int at, std::string_view value) noexcept;
    void bind(int at, std::span<const std::uint8_t> octets) noexcept;
    void bind_null(int at) noexcept;

    Result<bool> step();  // whether there is a row
    Result<> run();       // to its end, and ready for the next time
    void reset() noexcept;

    bool is_null(int column) const noexcept;
    std::int64_t number(int column) const noexcept;
    double real(int column) const noexcept;
    std::string_view text(int column) const noexcept;                 // until the next step
    std::span<const std::uint8_t> octets(int column) const noexcept;  // the same

  private:
    Statement(const Connection& connection, sqlite3_stmt* statement)
        : connection_(connection), statement_(statement) {}
    void keep(int code) noexcept;

    const Connection& connection_;
    sqlite3_stmt* statement_;
    int bind_code_ = 0;
};

}  // namespace dnsd::store
