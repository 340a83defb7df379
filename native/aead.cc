// AEAD data channel over the batch, in place (2.x crypto.c, openvpn_encrypt_aead() and _decrypt_aead()):
//
//   P_DATA_V2:  H(4) || pid(4) || tag(16) || ciphertext     AAD = H || pid
//   P_DATA_V1:  H(1) || pid(4) || tag(16) || ciphertext     AAD = pid
//   nonce(12) = pid(4) || implicit IV(8)
//
// One EVP_CIPHER_CTX per key and direction keeps the expanded key; only the IV changes per packet.
// OpenSSL zeroes the key when the context is freed: in destroy() or at garbage collection.
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <cstring>

#include "common.h"

namespace ovpn {
namespace {

constexpr size_t kTag = 16;
constexpr size_t kPacketId = 4;
constexpr size_t kImplicitIv = 8;
constexpr uint8_t kDataV1 = 6;
constexpr uint8_t kDataV2 = 9;
constexpr uint64_t kLastPacketId = 0xffffffff;
// Results in PacketBatch.status, as in crypto/crypto.ts.
constexpr int32_t kOpenOk = 0;
constexpr int32_t kOpenTooShort = 1;
constexpr int32_t kOpenAuthFailed = 2;

struct CipherName {
  const char* openvpn;
  const char* openssl;
  size_t key_bytes;
};

constexpr CipherName kCiphers[] = {
    {"AES-128-GCM", "AES-128-GCM", 16},
    {"AES-192-GCM", "AES-192-GCM", 24},
    {"AES-256-GCM", "AES-256-GCM", 32},
    {"CHACHA20-POLY1305", "ChaCha20-Poly1305", 32},
};
constexpr size_t kCipherCount = sizeof kCiphers / sizeof kCiphers[0];

struct FetchedCiphers {
  EVP_CIPHER* cipher[kCipherCount];
  FetchedCiphers() {
    for (size_t i = 0; i < kCipherCount; i++) cipher[i] = EVP_CIPHER_fetch(nullptr, kCiphers[i].openssl, nullptr);
  }
};

// The fetched cipher, kept for the life of the process, or nullptr.
EVP_CIPHER* FindCipher(const std::string& name, size_t* key_bytes) {
  static const FetchedCiphers fetched;
  for (size_t i = 0; i < kCipherCount; i++) {
    if (name != kCiphers[i].openvpn) continue;
    *key_bytes = kCiphers[i].key_bytes;
    return fetched.cipher[i];
  }
  return nullptr;
}

void WriteUint32(uint8_t* to, uint32_t value) {
  to[0] = static_cast<uint8_t>(value >> 24);
  to[1] = static_cast<uint8_t>(value >> 16);
  to[2] = static_cast<uint8_t>(value >> 8);
  to[3] = static_cast<uint8_t>(value);
}

uint32_t ReadUint32(const uint8_t* from) {
  return static_cast<uint32_t>(from[0]) << 24 | static_cast<uint32_t>(from[1]) << 16 |
         static_cast<uint32_t>(from[2]) << 8 | from[3];
}

// One direction of one key.
class Key {
 public:
  ~Key() { Destroy(); }

  // Reads (cipher, key, implicitIv) from the arguments; throws and returns false on failure.
  bool Init(napi_env env, Args* args, bool sealing) {
    std::string name;
    Bytes key, implicit_iv;
    if (!args->Text(0, &name) || !args->Byte(1, &key) || !args->Byte(2, &implicit_iv)) return false;
    size_t key_bytes = 0;
    EVP_CIPHER* cipher = FindCipher(name, &key_bytes);
    if (cipher == nullptr) {
      ThrowCrypto(env, "the AEAD cipher is not supported");
      return false;
    }
    if (key.size != key_bytes || implicit_iv.size != kImplicitIv) {
      ThrowMisuse(env, "the key or implicit IV has the wrong length");
      return false;
    }
    memcpy(nonce_ + kPacketId, implicit_iv.data, kImplicitIv);
    context_ = EVP_CIPHER_CTX_new();
    if (context_ == nullptr ||
        EVP_CipherInit_ex2(context_, cipher, key.data, nullptr, sealing ? 1 : 0, nullptr) != 1) {
      ThrowCrypto(env, "OpenSSL refuses the key");
      return false;
    }
    tag_params_[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, nullptr, kTag);
    tag_params_[1] = OSSL_PARAM_construct_end();
    return true;
  }

  bool alive() const { return context_ != nullptr; }

  void Destroy() {
    EVP_CIPHER_CTX_free(context_);
    context_ = nullptr;
    OPENSSL_cleanse(nonce_, sizeof nonce_);
  }

  // Encrypts `size` bytes at `data` in place; `aad` ends with the packet id; writes 16 bytes to `tag`.
  bool Seal(const uint8_t* aad, size_t aad_size, uint8_t* data, size_t size, uint8_t* tag) {
    int done = 0;
    uint8_t none[kTag];
    if (!Begin(aad, aad_size) ||
        EVP_EncryptUpdate(context_, data, &done, data, static_cast<int>(size)) != 1 ||
        EVP_EncryptFinal_ex(context_, none, &done) != 1) {
      return false;
    }
    tag_params_[0].data = tag;
    return EVP_CIPHER_CTX_get_params(context_, tag_params_) == 1;
  }

  // Decrypts in place; false when the tag is wrong, and then `data` is garbage.
  bool Open(const uint8_t* aad, size_t aad_size, uint8_t* data, size_t size, uint8_t* tag) {
    int done = 0;
    uint8_t none[kTag];
    tag_params_[0].data = tag;
    return Begin(aad, aad_size) && EVP_CIPHER_CTX_set_params(context_, tag_params_) == 1 &&
           EVP_DecryptUpdate(context_, data, &done, data, static_cast<int>(size)) == 1 &&
           EVP_DecryptFinal_ex(context_, none, &done) == 1;
  }

 private:
  bool Begin(const uint8_t* aad, size_t aad_size) {
    int done = 0;
    memcpy(nonce_, aad + aad_size - kPacketId, kPacketId);
    return EVP_CipherInit_ex2(context_, nullptr, nullptr, nonce_, -1, nullptr) == 1 &&
           EVP_CipherUpdate(context_, nullptr, &done, aad, static_cast<int>(aad_size)) == 1;
  }

  EVP_CIPHER_CTX* context_ = nullptr;
  uint8_t nonce_[kPacketId + kImplicitIv] = {};
  OSSL_PARAM tag_params_[2];
};

struct Sealer : Wrapped {
  static constexpr uint32_t kKinds = kSealer;
  Sealer() : Wrapped(kSealer) {}

  Key key;
  uint8_t header[4] = {};
  size_t header_bytes = 0;
  // One beyond kLastPacketId once all ids are used up.
  uint64_t next_packet_id = 1;
};

struct Opener : Wrapped {
  static constexpr uint32_t kKinds = kOpener;
  Opener() : Wrapped(kOpener) {}

  Key key;
  int64_t failures = 0;
};

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

napi_value NewSealer(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int32_t key_id, peer_id;
  double first_packet_id;
  Sealer* sealer = new Sealer();
  if (!args.Constructing(info) || !args.Int(3, &key_id) || !args.Int(4, &peer_id) ||
      !args.Number(5, &first_packet_id) || !sealer->key.Init(env, &args, true)) {
    delete sealer;
    return nullptr;
  }
  if (key_id < 0 || key_id > 7 || peer_id < -1 || peer_id > 0xffffff || !(first_packet_id >= 1) ||
      !(first_packet_id <= static_cast<double>(kLastPacketId) + 1)) {
    delete sealer;
    return ThrowMisuse(env, "key id, peer id or packet id is out of range");
  }
  sealer->next_packet_id = static_cast<uint64_t>(first_packet_id);
  if (peer_id >= 0) WriteUint32(sealer->header, static_cast<uint32_t>(peer_id));
  sealer->header[0] = static_cast<uint8_t>((peer_id >= 0 ? kDataV2 : kDataV1) << 3 | key_id);
  sealer->header_bytes = peer_id >= 0 ? 4 : 1;
  return Wrap(env, args.self(), sealer);
}

napi_value NextPacketId(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Sealer* sealer = Unwrap<Sealer>(env, args.self());
  return sealer == nullptr ? nullptr : MakeInt(env, static_cast<int64_t>(sealer->next_packet_id));
}

// Seals the packet of one slot; false when OpenSSL fails.
bool SealSlot(Sealer* sealer, Batch* batch, size_t slot) {
  const size_t head = sealer->header_bytes + kPacketId + kTag;
  const size_t size = static_cast<size_t>(batch->lengths[slot]);
  uint8_t* payload = batch->packet(slot);
  uint8_t* packet = payload - head;
  memcpy(packet, sealer->header, sealer->header_bytes);
  WriteUint32(packet + sealer->header_bytes, static_cast<uint32_t>(sealer->next_packet_id));
  const bool v2 = sealer->header_bytes == 4;
  const uint8_t* aad = v2 ? packet : packet + 1;
  if (!sealer->key.Seal(aad, v2 ? 8 : 4, payload, size, payload - kTag)) return false;
  sealer->next_packet_id++;
  batch->offsets[slot] -= static_cast<int32_t>(head);
  batch->lengths[slot] += static_cast<int32_t>(head);
  return true;
}

// sealBatch(slab, slotSize, offsets, lengths, first, end)
napi_value SealBatch(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Sealer* sealer = UnwrapAlive<Sealer>(env, args.self());
  Batch batch;
  int32_t first, end;
  if (sealer == nullptr || !batch.Read(env, &args, 0, 1, 2) || !args.Int(4, &first) || !args.Int(5, &end) ||
      !batch.CheckRun(env, first, end)) {
    return nullptr;
  }
  const size_t head = sealer->header_bytes + kPacketId + kTag;
  int32_t slot = first;
  for (; slot < end; slot++) {
    if (batch.lengths[slot] == 0) continue;
    if (batch.headroom(static_cast<size_t>(slot)) < head) {
      batch.lengths[slot] = 0;
      continue;
    }
    if (sealer->next_packet_id > kLastPacketId) break;
    if (!SealSlot(sealer, &batch, static_cast<size_t>(slot))) return ThrowCrypto(env, "OpenSSL can't seal");
  }
  return MakeInt(env, slot - first);
}

napi_value NewOpener(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Opener* opener = new Opener();
  if (!args.Constructing(info) || !opener->key.Init(env, &args, false)) {
    delete opener;
    return nullptr;
  }
  return Wrap(env, args.self(), opener);
}

napi_value Failures(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Opener* opener = Unwrap<Opener>(env, args.self());
  return opener == nullptr ? nullptr : MakeInt(env, opener->failures);
}

// Opens the packet of one slot and says how it went; `packet_id` is set when good.
int32_t OpenSlot(Opener* opener, Batch* batch, size_t slot, uint32_t* packet_id) {
  uint8_t* packet = batch->packet(slot);
  const size_t size = static_cast<size_t>(batch->lengths[slot]);
  const uint8_t opcode = packet[0] >> 3;
  if (opcode != kDataV1 && opcode != kDataV2) return kOpenTooShort;
  const size_t header = opcode == kDataV2 ? 4 : 1;
  const size_t head = header + kPacketId + kTag;
  if (size <= head) return kOpenTooShort;
  const uint8_t* aad = opcode == kDataV2 ? packet : packet + 1;
  if (!opener->key.Open(aad, header == 4 ? 8 : 4, packet + head, size - head, packet + head - kTag)) {
    opener->failures++;
    return kOpenAuthFailed;
  }
  *packet_id = ReadUint32(packet + header);
  batch->offsets[slot] += static_cast<int32_t>(head);
  batch->lengths[slot] -= static_cast<int32_t>(head);
  return kOpenOk;
}

// openBatch(slab, slotSize, offsets, lengths, status, packetIds, first, end)
napi_value OpenBatch(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Opener* opener = UnwrapAlive<Opener>(env, args.self());
  Batch batch;
  Words status;
  uint32_t* packet_ids;
  size_t packet_id_count;
  int32_t first, end;
  if (opener == nullptr || !batch.Read(env, &args, 0, 1, 2) || !args.Int32s(4, &status) ||
      !args.Uint32s(5, &packet_ids, &packet_id_count) || !args.Int(6, &first) || !args.Int(7, &end)) {
    return nullptr;
  }
  if (batch.capacity > status.size) batch.capacity = status.size;
  if (batch.capacity > packet_id_count) batch.capacity = packet_id_count;
  if (!batch.CheckRun(env, first, end)) return nullptr;
  for (int32_t slot = first; slot < end; slot++) {
    if (batch.lengths[slot] == 0) continue;
    status.data[slot] = OpenSlot(opener, &batch, static_cast<size_t>(slot), &packet_ids[slot]);
    if (status.data[slot] != kOpenOk) batch.lengths[slot] = 0;
  }
  return nullptr;
}

napi_value SupportsAead(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string name;
  if (!args.Text(0, &name)) return nullptr;
  size_t key_bytes;
  napi_value result = nullptr;
  napi_get_boolean(env, FindCipher(name, &key_bytes) != nullptr, &result);
  return result;
}

}  // namespace

bool InitAead(napi_env env, napi_value exports) {
  const Method sealer[] = {{"sealBatch", SealBatch}, {"destroy", DestroyKey<Sealer>}};
  const Method sealer_getters[] = {{"nextPacketId", NextPacketId}};
  const Method opener[] = {{"openBatch", OpenBatch}, {"destroy", DestroyKey<Opener>}};
  const Method opener_getters[] = {{"failures", Failures}};
  return DefineClass(env, exports, "AeadSealer", NewSealer, sealer, 2, sealer_getters, 1) &&
         DefineClass(env, exports, "AeadOpener", NewOpener, opener, 2, opener_getters, 1) &&
         DefineFunction(env, exports, "supportsAead", SupportsAead);
}

}  // namespace ovpn
