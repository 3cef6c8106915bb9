// The certificate that the API shows and the key that belongs to it. Read as a pair, and replaced
// as one: a session that has begun keeps what it was shown.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"

struct gnutls_certificate_credentials_st;
struct gnutls_session_int;

namespace dnsd::api {

// Never changes; any thread may hold it.
class Certificate {
  public:
    // PEM: the certificate first, then those that lead to a root; and its key, not encrypted. A
    // certificate that has expired by `now` is refused, as is a key that belongs to another one.
    static Result<std::shared_ptr<const Certificate>> read(const std::string& certificate_file,
                                                           const std::string& key_file,
                                                           WallTime now);
    ~Certificate();
    Certificate(const Certificate&) = delete;
    Certificate& operator=(const Certificate&) = delete;

    // REQUIRES: the handshake has not begun, and this outlives it.
    void show_in(gnutls_session_int* session) const;

  private:
    Certificate();

    gnutls_certificate_credentials_st* credentials_ = nullptr;
};

}  // namespace dnsd::api
