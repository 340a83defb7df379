// Keys of one epoch over the batch, in place (2.7 crypto.c with the epoch data format):
//
//   H(4) || epoch(2) || counter(6) || ciphertext || tag(16)     AAD = the first 12 bytes
//   nonce(12) = (epoch || counter || 0000) XOR iv
//
// Which epoch a packet goes to is decided in TypeScript (crypto/epoch-keys.ts).
#include <cstring>

#include "aead.h"

namespace ovpn {
namespace {

constexpr size_t kHeader = 4;
constexpr size_t kId = 8;
constexpr size_t kHead = kHeader + kId;
constexpr uint64_t kLastCounter = (uint64_t{1} << 48) - 1;

struct EpochSealer : Wrapped {
  static constexpr uint32_t kKinds = kEpochSealer;
  EpochSealer() : Wrapped(kEpochSealer) {}

  AeadKey key;
  uint8_t header[kHeader] = {};
  uint32_t epoch = 0;
  // One beyond kLastCounter once all ids are used up.
  uint64_t next_packet_id = 1;
};

struct EpochOpener : Wrapped {
  static constexpr uint32_t kKinds = kEpochOpener;
  EpochOpener() : Wrapped(kEpochOpener) {}

  AeadKey key;
  uint32_t epoch = 0;
  int64_t failures = 0;
};

// `id` is the packet's epoch and counter.
void FillNonce(uint8_t* nonce, const uint8_t* id, const AeadKey& key) {
  const uint8_t* iv = key.iv();
  for (size_t i = 0; i < kId; i++) nonce[i] = static_cast<uint8_t>(iv[i] ^ id[i]);
  memcpy(nonce + kId, iv + kId, kAeadNonce - kId);
}

napi_value NewSealer(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int32_t key_id, peer_id, epoch;
  double first_packet_id;
  EpochSealer* sealer = new EpochSealer();
  if (!args.Constructing(info) || !args.Int(3, &key_id) || !args.Int(4, &peer_id) || !args.Int(5, &epoch) ||
      !args.Number(6, &first_packet_id) || !sealer->key.Init(env, &args, kAeadNonce, true)) {
    delete sealer;
    return nullptr;
  }
  if (key_id < 0 || key_id > 7 || peer_id < 0 || peer_id > 0xffffff || epoch < 1 || epoch > 0xffff ||
      !(first_packet_id >= 1) || !(first_packet_id <= static_cast<double>(kLastCounter + 1))) {
    delete sealer;
    return ThrowMisuse(env, "key id, peer id, epoch or packet id is out of range");
  }
  sealer->next_packet_id = static_cast<uint64_t>(first_packet_id);
  sealer->epoch = static_cast<uint32_t>(epoch);
  WriteUint32(sealer->header, static_cast<uint32_t>(peer_id));
  sealer->header[0] = static_cast<uint8_t>(kDataV2 << 3 | key_id);
  return Wrap(env, args.self(), sealer);
}

// Seals the packet of one slot; false when OpenSSL fails.
bool SealSlot(EpochSealer* sealer, Batch* batch, size_t slot) {
  const size_t size = static_cast<size_t>(batch->lengths[slot]);
  uint8_t* payload = batch->packet(slot);
  uint8_t* packet = payload - kHead;
  uint8_t* id = packet + kHeader;
  memcpy(packet, sealer->header, kHeader);
  WriteUint16(id, sealer->epoch);
  WriteUint16(id + 2, static_cast<uint32_t>(sealer->next_packet_id >> 32));
  WriteUint32(id + 4, static_cast<uint32_t>(sealer->next_packet_id));
  uint8_t nonce[kAeadNonce];
  FillNonce(nonce, id, sealer->key);
  if (!sealer->key.Seal(nonce, packet, kHead, payload, size, payload + size)) return false;
  sealer->next_packet_id++;
  batch->offsets[slot] -= static_cast<int32_t>(kHead);
  batch->lengths[slot] += static_cast<int32_t>(kHead + kAeadTag);
  return true;
}

// sealBatch(slab, slotSize, offsets, lengths, first, end)
napi_value SealBatch(napi_env env, napi_callback_info info) {
  Args args(env, info);
  EpochSealer* sealer = UnwrapAlive<EpochSealer>(env, args.self());
  Batch batch;
  int32_t first, end;
  if (sealer == nullptr || !batch.Read(env, &args, 0, 1, 2) || !args.Int(4, &first) || !args.Int(5, &end) ||
      !batch.CheckRun(env, first, end)) {
    return nullptr;
  }
  int32_t slot = first;
  for (; slot < end; slot++) {
    if (batch.lengths[slot] == 0) continue;
    const size_t at = static_cast<size_t>(slot);
    if (batch.headroom(at) < kHead || batch.tailroom(at) < kAeadTag) {
      batch.lengths[slot] = 0;
      continue;
    }
    if (sealer->next_packet_id > kLastCounter) break;
    if (!SealSlot(sealer, &batch, at)) return ThrowCrypto(env, "OpenSSL can't seal");
  }
  return MakeInt(env, slot - first);
}

napi_value NewOpener(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int32_t epoch;
  EpochOpener* opener = new EpochOpener();
  if (!args.Constructing(info) || !args.Int(3, &epoch) || !opener->key.Init(env, &args, kAeadNonce, false)) {
    delete opener;
    return nullptr;
  }
  if (epoch < 1 || epoch > 0xffff) {
    delete opener;
    return ThrowMisuse(env, "the epoch is out of range");
  }
  opener->epoch = static_cast<uint32_t>(epoch);
  return Wrap(env, args.self(), opener);
}

// Opens the packet of one slot and says how it went; the halves of its id are set when good.
int32_t OpenSlot(EpochOpener* opener, Batch* batch, size_t slot, uint32_t* id_low, uint32_t* id_high) {
  uint8_t* packet = batch->packet(slot);
  const size_t size = static_cast<size_t>(batch->lengths[slot]);
  if (packet[0] >> 3 != kDataV2 || size <= kHead + kAeadTag) return kOpenTooShort;
  const uint8_t* id = packet + kHeader;
  if (ReadUint16(id) != opener->epoch) return kOpenBadEpoch;
  const size_t payload = size - kHead - kAeadTag;
  uint8_t nonce[kAeadNonce];
  FillNonce(nonce, id, opener->key);
  if (!opener->key.Open(nonce, packet, kHead, packet + kHead, payload, packet + kHead + payload)) {
    opener->failures++;
    return kOpenAuthFailed;
  }
  *id_high = ReadUint32(id);
  *id_low = ReadUint32(id + 4);
  batch->offsets[slot] += static_cast<int32_t>(kHead);
  batch->lengths[slot] = static_cast<int32_t>(payload);
  return kOpenOk;
}

// openBatch(slab, slotSize, offsets, lengths, status, packetIds, packetTimes, first, end)
napi_value OpenBatch(napi_env env, napi_callback_info info) {
  Args args(env, info);
  EpochOpener* opener = UnwrapAlive<EpochOpener>(env, args.self());
  Batch batch;
  Words status;
  uint32_t *low, *high;
  size_t low_count, high_count;
  int32_t first, end;
  if (opener == nullptr || !batch.Read(env, &args, 0, 1, 2) || !args.Int32s(4, &status) ||
      !args.Uint32s(5, &low, &low_count) || !args.Uint32s(6, &high, &high_count) || !args.Int(7, &first) ||
      !args.Int(8, &end)) {
    return nullptr;
  }
  for (const size_t size : {status.size, low_count, high_count}) {
    if (batch.capacity > size) batch.capacity = size;
  }
  if (!batch.CheckRun(env, first, end)) return nullptr;
  for (int32_t slot = first; slot < end; slot++) {
    if (batch.lengths[slot] == 0) continue;
    const size_t at = static_cast<size_t>(slot);
    status.data[slot] = OpenSlot(opener, &batch, at, &low[slot], &high[slot]);
    if (status.data[slot] != kOpenOk) batch.lengths[slot] = 0;
  }
  return nullptr;
}

}  // namespace

bool InitAeadEpoch(napi_env env, napi_value exports) {
  const Method sealer[] = {{"sealBatch", SealBatch}, {"destroy", DestroyKey<EpochSealer>}};
  const Method sealer_getters[] = {{"nextPacketId", NextPacketId<EpochSealer>}};
  const Method opener[] = {{"openBatch", OpenBatch}, {"destroy", DestroyKey<EpochOpener>}};
  const Method opener_getters[] = {{"failures", Failures<EpochOpener>}};
  return DefineClass(env, exports, "EpochSealer", NewSealer, sealer, sealer_getters) &&
         DefineClass(env, exports, "EpochOpener", NewOpener, opener, opener_getters);
}

}  // namespace ovpn
