// Keys of the control channel's wraps (2.x crypto.c, tls_crypt.c): an HMAC and AES-256-CTR, each with one
// OpenSSL context that keeps the expanded key. Both work on ranges of the caller's bytes, so that a packet of
// a stranger is judged without anything being made for it.
//
// OpenSSL zeroes a key when its context is freed: in destroy() or at garbage collection.
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <cstring>

#include "aead.h"
#include "environment.h"

namespace ovpn {
namespace {

constexpr size_t kRanges = 3;
constexpr size_t kCtrKey = 32;
constexpr size_t kCtrIv = 16;

class HmacKey {
 public:
  ~HmacKey() { Destroy(); }

  bool Init(Environment* environment, const std::string& digest, const Bytes& key) {
    context_ = environment->NewHmac(digest);
    // An empty key would mean the last one.
    static const uint8_t kNoKey[1] = {0};
    const uint8_t* data = key.size == 0 ? kNoKey : key.data;
    if (context_ != nullptr && EVP_MAC_init(context_, data, key.size, nullptr) == 1) return true;
    Destroy();
    return false;
  }

  bool alive() const { return context_ != nullptr; }
  size_t size() const { return EVP_MAC_CTX_get_mac_size(context_); }

  void Destroy() {
    EVP_MAC_CTX_free(context_);
    context_ = nullptr;
  }

  // `out` has EVP_MAX_MD_SIZE bytes.
  bool Sum(const Bytes* ranges, uint8_t* out) {
    if (EVP_MAC_init(context_, nullptr, 0, nullptr) != 1) return false;
    for (size_t i = 0; i < kRanges; i++) {
      if (ranges[i].size > 0 && EVP_MAC_update(context_, ranges[i].data, ranges[i].size) != 1) return false;
    }
    size_t size = 0;
    return EVP_MAC_final(context_, out, &size, EVP_MAX_MD_SIZE) == 1;
  }

 private:
  EVP_MAC_CTX* context_ = nullptr;
};

class CtrKey {
 public:
  ~CtrKey() { Destroy(); }

  bool Init(Environment* environment, const uint8_t* key) {
    EVP_CIPHER* cipher = environment->Cipher("AES-256-CTR");
    context_ = cipher == nullptr ? nullptr : EVP_CIPHER_CTX_new();
    if (context_ != nullptr && EVP_EncryptInit_ex2(context_, cipher, key, nullptr, nullptr) != 1) Destroy();
    return context_ != nullptr;
  }

  bool alive() const { return context_ != nullptr; }

  void Destroy() {
    EVP_CIPHER_CTX_free(context_);
    context_ = nullptr;
  }

  bool Apply(const uint8_t* iv, const uint8_t* from, size_t size, uint8_t* to) {
    int done = 0;
    return EVP_EncryptInit_ex2(context_, nullptr, nullptr, iv, nullptr) == 1 &&
           EVP_EncryptUpdate(context_, to, &done, from, static_cast<int>(size)) == 1;
  }

 private:
  EVP_CIPHER_CTX* context_ = nullptr;
};

struct Mac : Wrapped {
  static constexpr uint32_t kKinds = kMac;
  Mac() : Wrapped(kMac) {}
  HmacKey key;
};

struct Ctr : Wrapped {
  static constexpr uint32_t kKinds = kCtr;
  Ctr() : Wrapped(kCtr) {}
  CtrKey key;
};

// Bytes start..end-1 of `all`; throws when they aren't there.
bool Range(napi_env env, const Bytes& all, int32_t start, int32_t end, Bytes* out) {
  if (start < 0 || end < start || static_cast<size_t>(end) > all.size) {
    ThrowMisuse(env, "the range lies outside of the bytes");
    return false;
  }
  *out = {all.data + start, static_cast<size_t>(end - start)};
  return true;
}

// Mac(digest, key)
napi_value NewMac(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string digest;
  Bytes key;
  if (!args.Constructing(info) || !args.Text(0, &digest) || !args.Byte(1, &key)) return nullptr;
  Mac* mac = new Mac();
  if (!mac->key.Init(Environment::Of(env), digest, key)) {
    delete mac;
    return ThrowCrypto(env, "OpenSSL refuses the key or lacks the digest");
  }
  return Wrap(env, args.self(), mac);
}

// What matches() and write() have in common: (bytes, tagAt, tagBytes, start, end, start, end, start, end).
bool SumOf(napi_env env, Args* args, Bytes* tag, uint8_t* sum) {
  Mac* mac = UnwrapAlive<Mac>(env, args->self());
  Bytes bytes, ranges[kRanges];
  int32_t at, size, ends[2 * kRanges];
  if (mac == nullptr || !args->Byte(0, &bytes) || !args->Int(1, &at) || !args->Int(2, &size)) return false;
  for (size_t i = 0; i < 2 * kRanges; i++) {
    if (!args->Int(3 + i, &ends[i])) return false;
  }
  if (size < 1 || static_cast<size_t>(size) > mac->key.size() || at > INT32_MAX - size) {
    ThrowMisuse(env, "the tag is out of range");
    return false;
  }
  if (!Range(env, bytes, at, at + size, tag)) return false;
  for (size_t i = 0; i < kRanges; i++) {
    if (!Range(env, bytes, ends[2 * i], ends[2 * i + 1], &ranges[i])) return false;
  }
  if (mac->key.Sum(ranges, sum)) return true;
  ThrowCrypto(env, "OpenSSL can't compute the HMAC");
  return false;
}

napi_value Matches(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Bytes tag;
  uint8_t sum[EVP_MAX_MD_SIZE];
  if (!SumOf(env, &args, &tag, sum)) return nullptr;
  return MakeBool(env, CRYPTO_memcmp(sum, tag.data, tag.size) == 0);
}

napi_value Write(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Bytes tag;
  uint8_t sum[EVP_MAX_MD_SIZE];
  if (SumOf(env, &args, &tag, sum)) memcpy(tag.data, sum, tag.size);
  return nullptr;
}

napi_value MacBytes(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Mac* mac = UnwrapAlive<Mac>(env, args.self());
  return mac == nullptr ? nullptr : MakeInt(env, static_cast<int64_t>(mac->key.size()));
}

// AesCtr(key)
napi_value NewCtr(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Bytes key;
  if (!args.Constructing(info) || !args.Byte(0, &key)) return nullptr;
  if (key.size != kCtrKey) return ThrowMisuse(env, "the key has the wrong length");
  Ctr* ctr = new Ctr();
  if (!ctr->key.Init(Environment::Of(env), key.data)) {
    delete ctr;
    return ThrowCrypto(env, "OpenSSL refuses the key");
  }
  return Wrap(env, args.self(), ctr);
}

// apply(bytes, ivAt, start, end, out, outAt)
napi_value Apply(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Ctr* ctr = UnwrapAlive<Ctr>(env, args.self());
  Bytes bytes, out, iv, from, to;
  int32_t iv_at, start, end, out_at;
  if (ctr == nullptr || !args.Byte(0, &bytes) || !args.Int(1, &iv_at) || !args.Int(2, &start) ||
      !args.Int(3, &end) || !args.Byte(4, &out) || !args.Int(5, &out_at)) {
    return nullptr;
  }
  const int32_t most = INT32_MAX - static_cast<int32_t>(kCtrIv);
  if (iv_at > most || end < start || start < 0 || out_at > INT32_MAX - (end - start)) {
    return ThrowMisuse(env, "the range lies outside of the bytes");
  }
  if (!Range(env, bytes, iv_at, iv_at + static_cast<int32_t>(kCtrIv), &iv) ||
      !Range(env, bytes, start, end, &from) || !Range(env, out, out_at, out_at + (end - start), &to)) {
    return nullptr;
  }
  if (from.size > 0 && !ctr->key.Apply(iv.data, from.data, from.size, to.data)) {
    return ThrowCrypto(env, "OpenSSL can't encrypt");
  }
  return nullptr;
}

}  // namespace

bool InitMac(napi_env env, napi_value exports) {
  const Method mac[] = {{"matches", Matches}, {"write", Write}, {"destroy", DestroyKey<Mac>}};
  const Method mac_getters[] = {{"bytes", MacBytes}};
  const Method ctr[] = {{"apply", Apply}, {"destroy", DestroyKey<Ctr>}};
  return DefineClass(env, exports, "Mac", NewMac, mac, mac_getters) &&
         DefineClass(env, exports, "AesCtr", NewCtr, ctr);
}

}  // namespace ovpn
