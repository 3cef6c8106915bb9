#include "dnsd/api/certificate.h"

#include <fmt/format.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/assert.h"

namespace dnsd::api {

namespace {

Result<std::string> read_text(const std::string& path) {
    errno = 0;
    std::ifstream file(path);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf()))
        return fail(fmt::format("{}: {}", path, errno ? std::strerror(errno) : "it is empty"));
    return text.str();
}

gnutls_datum_t datum_of(std::string& text) {
    return {reinterpret_cast<unsigned char*>(text.data()), static_cast<unsigned>(text.size())};
}

// The certificates of a file, the server's own first.
class Chain {
  public:
    Chain() = default;
    Chain(const Chain&) = delete;
    Chain& operator=(const Chain&) = delete;
    ~Chain() {
        for (unsigned i = 0; i < size_; ++i) gnutls_x509_crt_deinit(certificates_[i]);
        gnutls_free(certificates_);
    }

    Result<> read(const std::string& path) {
        auto text = read_text(path);
        if (!text) return std::unexpected(text.error());
        const gnutls_datum_t pem = datum_of(*text);
        const int status =
            gnutls_x509_crt_list_import2(&certificates_, &size_, &pem, GNUTLS_X509_FMT_PEM, 0);
        if (status < 0)
            return fail(fmt::format("{}: it holds no certificate in PEM: {}", path,
                                    gnutls_strerror(status)));
        return {};
    }
    WallTime expires() const {
        return std::chrono::time_point_cast<Milliseconds>(std::chrono::system_clock::from_time_t(
            gnutls_x509_crt_get_expiration_time(certificates_[0])));
    }
    gnutls_x509_crt_t* begin() noexcept { return certificates_; }
    int size() const noexcept { return static_cast<int>(size_); }

  private:
    gnutls_x509_crt_t* certificates_ = nullptr;
    unsigned size_ = 0;
};

class Key {
  public:
    Key() {
        const int status = gnutls_x509_privkey_init(&key_);
        DNSD_ASSERT(status == GNUTLS_E_SUCCESS);
    }
    Key(const Key&) = delete;
    Key& operator=(const Key&) = delete;
    ~Key() { gnutls_x509_privkey_deinit(key_); }

    Result<> read(const std::string& path) {
        auto text = read_text(path);
        if (!text) return std::unexpected(text.error());
        const gnutls_datum_t pem = datum_of(*text);
        const int status = gnutls_x509_privkey_import2(key_, &pem, GNUTLS_X509_FMT_PEM, nullptr, 0);
        gnutls_memset(text->data(), 0, text->size());
        if (status < 0)
            return fail(fmt::format("{}: it holds no key in PEM without a password: {}", path,
                                    gnutls_strerror(status)));
        return {};
    }
    gnutls_x509_privkey_t raw() noexcept { return key_; }

  private:
    gnutls_x509_privkey_t key_ = nullptr;
};

}  // namespace

Certificate::Certificate() {
    const int status = gnutls_certificate_allocate_credentials(&credentials_);
    DNSD_ASSERT(status == GNUTLS_E_SUCCESS);
}

Certificate::~Certificate() { gnutls_certificate_free_credentials(credentials_); }

Result<std::shared_ptr<const Certificate>> Certificate::read(const std::string& certificate_file,
                                                             const std::string& key_file,
                                                             WallTime now) {
    Chain chain;
    Key key;
    if (auto read = chain.read(certificate_file); !read)
        return in_context("api.tls_cert", read.error());
    if (auto read = key.read(key_file); !read) return in_context("api.tls_key", read.error());
    if (chain.expires() <= now)
        return fail(fmt::format("api.tls_cert: {}: it expired at {}", certificate_file,
                                print_time(chain.expires())));
    std::shared_ptr<Certificate> certificate(new Certificate);
    const int status = gnutls_certificate_set_x509_key(certificate->credentials_, chain.begin(),
                                                       chain.size(), key.raw());
    if (status == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return fail(fmt::format("api.tls_key: {}: it is not the key of the first certificate in {}",
                                key_file, certificate_file));
    if (status < 0)
        return fail(fmt::format("api.tls_cert: {}: {}", certificate_file, gnutls_strerror(status)));
    return certificate;
}

void Certificate::show_in(gnutls_session_int* session) const {
    const int status = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials_);
    DNSD_ASSERT(status == GNUTLS_E_SUCCESS);
}

}  // namespace dnsd::api
