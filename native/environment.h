// What the addon keeps for one environment of node (the main thread, or a worker thread) from call to call:
// algorithms of OpenSSL, since to find one by its name takes longer than to compute with it. It is made when
// the environment loads the addon and freed when the environment ends. Threads share nothing of it, so
// nothing is locked.
//
// Of the process, and never freed, are what OpenSSL numbers or registers once: the type of BIO and the index
// of tls_session.cc, the provider of keys in tls_key.cc, the providers of provider.cc. They need the addon's
// code for as long as the process lives: it is linked not to be unloaded with the last thread that loaded it.
#ifndef OPENVPN_TS_ENVIRONMENT_H_
#define OPENVPN_TS_ENVIRONMENT_H_

#include <openssl/evp.h>

#include <string>
#include <vector>

#include "common.h"

namespace ovpn {

class Environment {
 public:
  // Gives `env` one of its own.
  static bool Attach(napi_env env);
  static Environment* Of(napi_env env);

  Environment() = default;
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment();

  // The cipher by OpenSSL's name, or nullptr where OpenSSL lacks it. `name` stays. A context that uses the
  // cipher holds a reference of its own.
  EVP_CIPHER* Cipher(const char* name);
  // A context without a key, which the caller frees, or nullptr where OpenSSL lacks the digest.
  EVP_MAC_CTX* NewHmac(const std::string& digest);

 private:
  struct FoundCipher {
    const char* name;
    EVP_CIPHER* cipher;
  };
  struct HmacTemplate {
    std::string digest;
    EVP_MAC_CTX* context;
  };

  std::vector<FoundCipher> ciphers_;
  std::vector<HmacTemplate> hmacs_;
};

}  // namespace ovpn

#endif  // OPENVPN_TS_ENVIRONMENT_H_
