// Private keys that live elsewhere: the question of a handshake for a signature and its answer, shared by
// tls_key.cc (the key) and tls_session.cc (the handshake that waits).
#ifndef OPENVPN_TS_TLS_KEY_H_
#define OPENVPN_TS_TLS_KEY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tls.h"

namespace ovpn {

struct SignRequest {
  // Not hashed.
  std::vector<uint8_t> message;
  // OpenSSL's short name, '' for EdDSA.
  std::string digest;
  // A word of SignRequest in src/ssl/ssl-backend.ts.
  const char* padding = "";
  // Bytes, PSS only.
  int salt = -1;
};

// One per session.
class Signing {
 public:
  Signing() = default;
  Signing(const Signing&) = delete;
  Signing& operator=(const Signing&) = delete;
  ~Signing();

  // By the key, within the job.
  void Ask(SignRequest question, EVP_PKEY* public_half);
  // By the session: takes the answer if it verifies. The handshake must be run next.
  bool Answer(const uint8_t* signature, size_t size);
  // No signature will come, now or later. The handshake must be run next, so that its job ends.
  void Refuse();

  // From the question until the answer or refusal: a job is paused.
  bool waiting = false;
  bool refused = false;
  SignRequest request;
  std::vector<uint8_t> answer;

 private:
  EVP_PKEY* public_half_ = nullptr;
};

// Tells keys of this thread whom to ask, while SSL_do_handshake() runs.
class SigningScope {
 public:
  explicit SigningScope(Signing* signing);
  ~SigningScope();
  SigningScope(const SigningScope&) = delete;
  SigningScope& operator=(const SigningScope&) = delete;

 private:
  Signing* const before_;
};

// A key that asks, for the certificate with this public key; nullptr with the reason in `problem`.
EVP_PKEY* MakeExternalKey(EVP_PKEY* public_half, std::string* problem);

}  // namespace ovpn

#endif  // OPENVPN_TS_TLS_KEY_H_
