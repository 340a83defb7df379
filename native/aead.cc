// AEAD data channel over the batch, in place (2.x crypto.c, openvpn_encrypt_aead() and _decrypt_aead()):
//
//   P_DATA_V2:  H(4) || pid(4) || tag(16) || ciphertext     AAD = H || pid
//   P_DATA_V1:  H(1) || pid(4) || tag(16) || ciphertext     AAD = pid
//   nonce(12) = pid(4) || implicit IV(8)
//
// Also the key that the epoch layout (aead_epoch.cc) shares, see aead.h.
#include "aead.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>

#include <cstring>

#include "environment.h"

namespace ovpn {
namespace {

constexpr size_t kPacketId = 4;
constexpr size_t kImplicitIv = 8;
constexpr uint64_t kLastPacketId = 0xffffffff;

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
// The cipher, or nullptr when it is none of ours or OpenSSL lacks it.
EVP_CIPHER* FindCipher(napi_env env, const std::string& name, size_t* key_bytes) {
  for (const CipherName& cipher : kCiphers) {
    if (name != cipher.openvpn) continue;
    *key_bytes = cipher.key_bytes;
    return Environment::Of(env)->Cipher(cipher.openssl);
  }
  return nullptr;
}

}  // namespace

bool AeadKey::Init(napi_env env, Args* args, size_t iv_size, bool sealing) {
  std::string name;
  Bytes key, iv;
  if (!args->Text(0, &name) || !args->Byte(1, &key) || !args->Byte(2, &iv)) return false;
  size_t key_bytes = 0;
  EVP_CIPHER* cipher = FindCipher(env, name, &key_bytes);
  if (cipher == nullptr) {
    ThrowCrypto(env, "the AEAD cipher is not supported");
    return false;
  }
  if (key.size != key_bytes || iv.size != iv_size) {
    ThrowMisuse(env, "the key or IV has the wrong length");
    return false;
  }
  memcpy(iv_, iv.data, iv_size);
  context_ = EVP_CIPHER_CTX_new();
  if (context_ == nullptr ||
      EVP_CipherInit_ex2(context_, cipher, key.data, nullptr, sealing ? 1 : 0, nullptr) != 1) {
    ThrowCrypto(env, "OpenSSL refuses the key");
    return false;
  }
  tag_params_[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, nullptr, kAeadTag);
  tag_params_[1] = OSSL_PARAM_construct_end();
  return true;
}

void AeadKey::Destroy() {
  EVP_CIPHER_CTX_free(context_);
  context_ = nullptr;
  OPENSSL_cleanse(iv_, sizeof iv_);
}

bool AeadKey::Seal(const uint8_t* nonce, const uint8_t* aad, size_t aad_size, uint8_t* data, size_t size,
                   uint8_t* tag) {
  int done = 0;
  uint8_t none[kAeadTag];
  if (!Begin(nonce, aad, aad_size) ||
      EVP_EncryptUpdate(context_, data, &done, data, static_cast<int>(size)) != 1 ||
      EVP_EncryptFinal_ex(context_, none, &done) != 1) {
    return false;
  }
  tag_params_[0].data = tag;
  return EVP_CIPHER_CTX_get_params(context_, tag_params_) == 1;
}

bool AeadKey::Open(const uint8_t* nonce, const uint8_t* aad, size_t aad_size, uint8_t* data, size_t size,
                   uint8_t* tag) {
  int done = 0;
  uint8_t none[kAeadTag];
  tag_params_[0].data = tag;
  return Begin(nonce, aad, aad_size) && EVP_CIPHER_CTX_set_params(context_, tag_params_) == 1 &&
         EVP_DecryptUpdate(context_, data, &done, data, static_cast<int>(size)) == 1 &&
         EVP_DecryptFinal_ex(context_, none, &done) == 1;
}

bool AeadKey::Begin(const uint8_t* nonce, const uint8_t* aad, size_t aad_size) {
  int done = 0;
  return EVP_CipherInit_ex2(context_, nullptr, nullptr, nonce, -1, nullptr) == 1 &&
         EVP_CipherUpdate(context_, nullptr, &done, aad, static_cast<int>(aad_size)) == 1;
}

namespace {

// The packet id at the end of the AAD, and what the key adds.
void FillNonce(uint8_t* nonce, const uint8_t* packet_id, const AeadKey& key) {
  memcpy(nonce, packet_id, kPacketId);
  memcpy(nonce + kPacketId, key.iv(), kImplicitIv);
}

struct Sealer : Wrapped {
  static constexpr uint32_t kKinds = kSealer;
  Sealer() : Wrapped(kSealer) {}

  AeadKey key;
  uint8_t header[4] = {};
  size_t header_bytes = 0;
  // One beyond kLastPacketId once all ids are used up.
  uint64_t next_packet_id = 1;
};

struct Opener : Wrapped {
  static constexpr uint32_t kKinds = kOpener;
  Opener() : Wrapped(kOpener) {}

  AeadKey key;
  int64_t failures = 0;
};

napi_value NewSealer(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int32_t key_id, peer_id;
  double first_packet_id;
  Sealer* sealer = new Sealer();
  if (!args.Constructing(info) || !args.Int(3, &key_id) || !args.Int(4, &peer_id) ||
      !args.Number(5, &first_packet_id) || !sealer->key.Init(env, &args, kImplicitIv, true)) {
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

// Seals the packet of one slot; false when OpenSSL fails.
bool SealSlot(Sealer* sealer, Batch* batch, size_t slot) {
  const size_t head = sealer->header_bytes + kPacketId + kAeadTag;
  const size_t size = static_cast<size_t>(batch->lengths[slot]);
  uint8_t* payload = batch->packet(slot);
  uint8_t* packet = payload - head;
  memcpy(packet, sealer->header, sealer->header_bytes);
  WriteUint32(packet + sealer->header_bytes, static_cast<uint32_t>(sealer->next_packet_id));
  const bool v2 = sealer->header_bytes == 4;
  const uint8_t* aad = v2 ? packet : packet + 1;
  uint8_t nonce[kAeadNonce];
  FillNonce(nonce, packet + sealer->header_bytes, sealer->key);
  if (!sealer->key.Seal(nonce, aad, v2 ? 8 : 4, payload, size, payload - kAeadTag)) return false;
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
  const size_t head = sealer->header_bytes + kPacketId + kAeadTag;
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
  if (!args.Constructing(info) || !opener->key.Init(env, &args, kImplicitIv, false)) {
    delete opener;
    return nullptr;
  }
  return Wrap(env, args.self(), opener);
}

// Opens the packet of one slot and says how it went; `packet_id` is set when good.
int32_t OpenSlot(Opener* opener, Batch* batch, size_t slot, uint32_t* packet_id) {
  uint8_t* packet = batch->packet(slot);
  const size_t size = static_cast<size_t>(batch->lengths[slot]);
  const uint8_t opcode = packet[0] >> 3;
  if (opcode != kDataV1 && opcode != kDataV2) return kOpenTooShort;
  const size_t header = opcode == kDataV2 ? 4 : 1;
  const size_t head = header + kPacketId + kAeadTag;
  if (size <= head) return kOpenTooShort;
  const uint8_t* aad = opcode == kDataV2 ? packet : packet + 1;
  uint8_t nonce[kAeadNonce];
  FillNonce(nonce, packet + header, opener->key);
  if (!opener->key.Open(nonce, aad, header == 4 ? 8 : 4, packet + head, size - head,
                        packet + head - kAeadTag)) {
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
  napi_get_boolean(env, FindCipher(env, name, &key_bytes) != nullptr, &result);
  return result;
}

}  // namespace

bool InitAead(napi_env env, napi_value exports) {
  const Method sealer[] = {{"sealBatch", SealBatch}, {"destroy", DestroyKey<Sealer>}};
  const Method sealer_getters[] = {{"nextPacketId", NextPacketId<Sealer>}};
  const Method opener[] = {{"openBatch", OpenBatch}, {"destroy", DestroyKey<Opener>}};
  const Method opener_getters[] = {{"failures", Failures<Opener>}};
  return DefineClass(env, exports, "AeadSealer", NewSealer, sealer, sealer_getters) &&
         DefineClass(env, exports, "AeadOpener", NewOpener, opener, opener_getters) &&
         DefineFunction(env, exports, "supportsAead", SupportsAead);
}

}  // namespace ovpn
