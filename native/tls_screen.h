// Bounds the work that a peer's handshake messages ask of OpenSSL, before it begins: it decodes every
// certificate that comes, key and extensions, and some of that takes seconds for a few hundred bytes. What is
// refused here, no certificate in use has; figures are in docs/decisions/0015-native-tls-engine.md.
#ifndef OPENVPN_TS_TLS_SCREEN_H_
#define OPENVPN_TS_TLS_SCREEN_H_

#include <cstddef>
#include <cstdint>

namespace ovpn {

// One per session.
class Screen {
 public:
  // Takes a whole handshake message of the peer's, header and body. `version`: protocol number as on the
  // wire; `dhe`: the cipher in question has Diffie-Hellman parameters of the server's. Returns why OpenSSL
  // must not work on it, nullptr when it may.
  const char* Look(const uint8_t* message, size_t size, int version, bool dhe);
  // Takes a handshake message that came when the handshake was over.
  const char* LookLate() {
    return ++late_ > kMaxLate ? "too many TLS messages behind the handshake" : nullptr;
  }

 private:
  // Ours: nobody sends any but a TLS 1.3 server its two tickets.
  static constexpr int kMaxLate = 32;

  int late_ = 0;
};

}  // namespace ovpn

#endif  // OPENVPN_TS_TLS_SCREEN_H_
