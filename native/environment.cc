// See environment.h. A look-up goes through the list: there are a few ciphers, and the digests that --auth
// named.
#include "environment.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <cstring>

namespace ovpn {
namespace {

EVP_MAC_CTX* MakeHmac(std::string digest) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  EVP_MAC_CTX* context = mac == nullptr ? nullptr : EVP_MAC_CTX_new(mac);
  EVP_MAC_free(mac);
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, &digest[0], 0),
                               OSSL_PARAM_construct_end()};
  if (context != nullptr && EVP_MAC_CTX_set_params(context, params) == 1) return context;
  EVP_MAC_CTX_free(context);
  return nullptr;
}

}  // namespace

bool Environment::Attach(napi_env env) {
  Environment* made = new Environment();
  const napi_finalize finalize = [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); };
  if (napi_set_instance_data(env, made, finalize, nullptr) == napi_ok) return true;
  delete made;
  return false;
}

Environment* Environment::Of(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<Environment*>(data);
}

Environment::~Environment() {
  for (const FoundCipher& found : ciphers_) EVP_CIPHER_free(found.cipher);
  for (const HmacTemplate& made : hmacs_) EVP_MAC_CTX_free(made.context);
}

EVP_CIPHER* Environment::Cipher(const char* name) {
  for (const FoundCipher& found : ciphers_) {
    if (strcmp(found.name, name) == 0) return found.cipher;
  }
  EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, name, nullptr);
  ciphers_.push_back({name, cipher});
  return cipher;
}

EVP_MAC_CTX* Environment::NewHmac(const std::string& digest) {
  for (const HmacTemplate& made : hmacs_) {
    if (made.digest == digest) return EVP_MAC_CTX_dup(made.context);
  }
  EVP_MAC_CTX* made = MakeHmac(digest);
  if (made == nullptr) return nullptr;
  hmacs_.push_back({digest, made});
  return EVP_MAC_CTX_dup(made);
}

}  // namespace ovpn
