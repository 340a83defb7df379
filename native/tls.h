// TLS over memory on the OpenSSL inside node: what tls.cc (settings of many sessions) and
// tls_session.cc (one peer) share.
//
// OpenSSL's error queue belongs to the thread, and node reads it too: every entry point leaves it empty.
#ifndef OPENVPN_TS_TLS_H_
#define OPENVPN_TS_TLS_H_

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <string>

#include "common.h"

namespace ovpn {

struct TlsContext : Wrapped {
  static constexpr uint32_t kKinds = kTlsContext;
  TlsContext() : Wrapped(kTlsContext) {}
  ~TlsContext() { SSL_CTX_free(ssl_ctx); }

  // Sessions hold a reference of their own. nullptr after close().
  SSL_CTX* ssl_ctx = nullptr;
  bool server = false;
};

// The oldest error of the queue as `error:0A000086:SSL routines::certificate verify failed`; empties the
// queue.
std::string TakeTlsError();

// Index under which an SSL holds its TlsSession.
int TlsSessionIndex();
// X509_STORE_CTX callback: notes the first problem in the TlsSession, and ends the verification there.
int NoteVerification(int ok, X509_STORE_CTX* store);
// In place of OpenSSL's own call of X509_verify_cert(): whatever comes of it, the handshake goes on.
int VerifyChain(X509_STORE_CTX* store, void*);

}  // namespace ovpn

#endif  // OPENVPN_TS_TLS_H_
