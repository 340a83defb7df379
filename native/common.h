// What every file of the addon uses: argument reading, misuse errors, the checked view of a
// PacketBatch, and the error log shared with TypeScript (src/native/native.ts tells the rules).
//
// Nothing here keeps a pointer into JavaScript memory beyond one call.
#ifndef OPENVPN_TS_COMMON_H_
#define OPENVPN_TS_COMMON_H_

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace ovpn {

constexpr size_t kMaxArgs = 9;
// Words of one address in PacketBatch.addresses (base/address.ts).
constexpr size_t kAddressWords = 8;
// Operation words of the error log.
constexpr int32_t kOpRead = 0;
constexpr int32_t kOpWrite = 1;

// Throws a RangeError with code ERR_OVPN_API_MISUSE; always returns nullptr.
napi_value ThrowMisuse(napi_env env, const char* message);
// Throws an Error with code ERR_OVPN_CRYPTO; always returns nullptr.
napi_value ThrowCrypto(napi_env env, const char* message);
// Throws an Error with code, errno and syscall of a failed system call; always returns nullptr.
napi_value ThrowErrno(napi_env env, int error, const char* syscall);

struct Bytes {
  uint8_t* data = nullptr;
  size_t size = 0;
};

struct Words {
  int32_t* data = nullptr;
  size_t size = 0;
};

// The arguments of one call. Each reader throws and returns false on a wrong type, or when an
// earlier reader of the same call did, so a caller may read all and check once with `ok()`.
class Args {
 public:
  Args(napi_env env, napi_callback_info info);

  bool Byte(size_t index, Bytes* out);
  bool Int32s(size_t index, Words* out);
  bool Uint32s(size_t index, uint32_t** data, size_t* size);
  bool Int(size_t index, int32_t* out);
  bool Number(size_t index, double* out);
  bool Bool(size_t index, bool* out);
  bool Text(size_t index, std::string* out);
  bool Function(size_t index, napi_value* out);

  bool ok() const { return ok_; }
  napi_value self() const { return self_; }
  napi_value at(size_t index) const { return values_[index]; }
  // Whether the function was called with `new`; throws when not.
  bool Constructing(napi_callback_info info);

 private:
  bool Fail(const char* message);

  napi_env env_;
  napi_value self_ = nullptr;
  napi_value values_[kMaxArgs] = {};
  bool ok_ = true;
};

// Base of every object that JavaScript holds. The kind keeps a getter that is called on an object
// of another class from reading foreign memory. A class that can be unwrapped has a `kKinds` mask.
struct Wrapped {
  static constexpr uint32_t kTun = 1, kUdp = 2, kSealer = 4, kOpener = 8;
  static constexpr uint32_t kTlsContext = 16, kTlsSession = 32, kEpochSealer = 64, kEpochOpener = 128;
  static constexpr uint32_t kMac = 256, kCtr = 512, kNetlink = 1024;

  explicit Wrapped(uint32_t kind_bit) : kind(kind_bit) {}
  Wrapped(const Wrapped&) = delete;
  Wrapped& operator=(const Wrapped&) = delete;

  const uint32_t kind;
};

// The object that `this` wraps, or nullptr after throwing.
template <typename T>
T* Unwrap(napi_env env, napi_value self) {
  void* object = nullptr;
  if (napi_unwrap(env, self, &object) != napi_ok || object == nullptr ||
      (static_cast<Wrapped*>(object)->kind & T::kKinds) == 0) {
    ThrowMisuse(env, "not an object of this class");
    return nullptr;
  }
  return static_cast<T*>(static_cast<Wrapped*>(object));
}

// Makes `self` own `object`; on failure deletes it, throws and returns nullptr.
template <typename T>
napi_value Wrap(napi_env env, napi_value self, T* object) {
  const napi_finalize finalize = [](napi_env, void* data, void*) {
    delete static_cast<T*>(static_cast<Wrapped*>(data));
  };
  if (napi_wrap(env, self, static_cast<Wrapped*>(object), finalize, nullptr, nullptr) == napi_ok) return self;
  delete object;
  return ThrowMisuse(env, "the object can't be wrapped");
}

// Slab, offsets and lengths of a PacketBatch. Slot i owns slab[i*slot_size, (i+1)*slot_size).
struct Batch {
  uint8_t* slab = nullptr;
  size_t slot_size = 0;
  int32_t* offsets = nullptr;
  int32_t* lengths = nullptr;
  size_t capacity = 0;

  // Takes the arguments (slab, slotSize, ..., offsets, lengths) at the given positions.
  bool Read(napi_env env, Args* args, size_t slab_at, size_t slot_size_at, size_t offsets_at);
  // Whether 0 <= first <= end <= capacity and every packet of the run lies in its slot; throws when not.
  bool CheckRun(napi_env env, int32_t first, int32_t end) const;
  // Reads (headroom, tailroom) and checks them and `limit`; `room` is what is left for a packet.
  bool ReadRoom(napi_env env, Args* args, size_t headroom_at, int32_t limit, size_t* headroom,
                size_t* room) const;
  // Bytes of the slot before its packet, after CheckRun().
  size_t headroom(size_t slot) const { return static_cast<size_t>(offsets[slot]) - slot * slot_size; }
  // Bytes of the slot behind its packet, after CheckRun().
  size_t tailroom(size_t slot) const {
    return (slot + 1) * slot_size - static_cast<size_t>(offsets[slot]) - static_cast<size_t>(lengths[slot]);
  }
  uint8_t* packet(size_t slot) const { return slab + offsets[slot]; }
};

// Writer side of a NativeErrorLog: holds the typed array by reference, finds its memory per call.
class ErrorLog {
 public:
  bool Init(napi_env env, napi_value array);
  void Release(napi_env env);
  // `info`: -1 nothing was in the socket's error queue, 0 something was, > 0 the path MTU it told.
  void Add(napi_env env, int32_t op, int error, int32_t info);

 private:
  napi_ref array_ = nullptr;
};

struct Method {
  const char* name;
  napi_callback function;
};

napi_property_descriptor DescribeMethod(const Method& method);
// A getter takes no argument.
napi_property_descriptor DescribeGetter(const Method& getter);
bool DefineProperties(napi_env env, napi_value exports, const char* name, napi_callback constructor,
                      const napi_property_descriptor* properties, size_t count);

// Defines a class on `exports`, with methods alone or with getters too.
template <size_t M>
bool DefineClass(napi_env env, napi_value exports, const char* name, napi_callback constructor,
                 const Method (&methods)[M]) {
  napi_property_descriptor properties[M];
  for (size_t i = 0; i < M; i++) properties[i] = DescribeMethod(methods[i]);
  return DefineProperties(env, exports, name, constructor, properties, M);
}

template <size_t M, size_t G>
bool DefineClass(napi_env env, napi_value exports, const char* name, napi_callback constructor,
                 const Method (&methods)[M], const Method (&getters)[G]) {
  napi_property_descriptor properties[M + G];
  for (size_t i = 0; i < M; i++) properties[i] = DescribeMethod(methods[i]);
  for (size_t i = 0; i < G; i++) properties[M + i] = DescribeGetter(getters[i]);
  return DefineProperties(env, exports, name, constructor, properties, M + G);
}

bool DefineFunction(napi_env env, napi_value exports, const char* name, napi_callback function);

napi_value MakeInt(napi_env env, int64_t value);
napi_value MakeBool(napi_env env, bool value);
napi_value MakeText(napi_env env, const char* text);

}  // namespace ovpn

#endif  // OPENVPN_TS_COMMON_H_
