// One direction of one AEAD key and its packets' home, shared by aead.cc (classic layout) and
// aead_epoch.cc (epoch layout).
//
// One EVP_CIPHER_CTX per key and direction keeps the expanded key; only the IV changes per packet.
// OpenSSL zeroes the key when the context is freed: in Destroy() or at garbage collection.
#ifndef OPENVPN_TS_AEAD_H_
#define OPENVPN_TS_AEAD_H_

#include <openssl/evp.h>
#include <openssl/params.h>

#include "common.h"

namespace ovpn {

constexpr size_t kAeadTag = 16;
constexpr size_t kAeadNonce = 12;
constexpr uint8_t kDataV1 = 6;
constexpr uint8_t kDataV2 = 9;
// Results in PacketBatch.status, as in crypto/crypto.ts.
constexpr int32_t kOpenOk = 0;
constexpr int32_t kOpenTooShort = 1;
constexpr int32_t kOpenAuthFailed = 2;
constexpr int32_t kOpenBadEpoch = 7;

inline void WriteUint16(uint8_t* to, uint32_t value) {
  to[0] = static_cast<uint8_t>(value >> 8);
  to[1] = static_cast<uint8_t>(value);
}

inline void WriteUint32(uint8_t* to, uint32_t value) {
  WriteUint16(to, value >> 16);
  WriteUint16(to + 2, value);
}

inline uint32_t ReadUint16(const uint8_t* from) { return static_cast<uint32_t>(from[0]) << 8 | from[1]; }

inline uint32_t ReadUint32(const uint8_t* from) { return ReadUint16(from) << 16 | ReadUint16(from + 2); }

class AeadKey {
 public:
  ~AeadKey() { Destroy(); }

  // Reads (cipher, key, iv) from the arguments; throws and returns false on failure.
  bool Init(napi_env env, Args* args, size_t iv_size, bool sealing);
  bool alive() const { return context_ != nullptr; }
  // The `iv_size` bytes given.
  const uint8_t* iv() const { return iv_; }
  void Destroy();

  // Encrypts `size` bytes at `data` in place and writes 16 bytes to `tag`; the nonce has 12 bytes.
  bool Seal(const uint8_t* nonce, const uint8_t* aad, size_t aad_size, uint8_t* data, size_t size,
            uint8_t* tag);
  // Decrypts in place; false when the tag is wrong, and then `data` is garbage.
  bool Open(const uint8_t* nonce, const uint8_t* aad, size_t aad_size, uint8_t* data, size_t size,
            uint8_t* tag);

 private:
  bool Begin(const uint8_t* nonce, const uint8_t* aad, size_t aad_size);

  EVP_CIPHER_CTX* context_ = nullptr;
  uint8_t iv_[kAeadNonce] = {};
  OSSL_PARAM tag_params_[2];
};

// The object that `this` wraps, or nullptr after throwing, also when its key was destroyed.
template <typename T>
T* UnwrapAlive(napi_env env, napi_value self) {
  T* object = Unwrap<T>(env, self);
  if (object != nullptr && !object->key.alive()) {
    ThrowMisuse(env, "the key was destroyed");
    return nullptr;
  }
  return object;
}

template <typename T>
napi_value DestroyKey(napi_env env, napi_callback_info info) {
  Args args(env, info);
  T* object = Unwrap<T>(env, args.self());
  if (object != nullptr) object->key.Destroy();
  return nullptr;
}

template <typename T>
napi_value NextPacketId(napi_env env, napi_callback_info info) {
  Args args(env, info);
  T* sealer = Unwrap<T>(env, args.self());
  return sealer == nullptr ? nullptr : MakeInt(env, static_cast<int64_t>(sealer->next_packet_id));
}

template <typename T>
napi_value Failures(napi_env env, napi_callback_info info) {
  Args args(env, info);
  T* opener = Unwrap<T>(env, args.self());
  return opener == nullptr ? nullptr : MakeInt(env, opener->failures);
}

}  // namespace ovpn

#endif  // OPENVPN_TS_AEAD_H_
