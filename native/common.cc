// Argument reading, errors and class definition over plain N-API. See common.h.
#include "common.h"

#include <uv.h>

#include <cstdio>
#include <cstring>

namespace ovpn {

napi_value ThrowMisuse(napi_env env, const char* message) {
  napi_throw_range_error(env, "ERR_OVPN_API_MISUSE", message);
  return nullptr;
}

napi_value ThrowCrypto(napi_env env, const char* message) {
  napi_throw_error(env, "ERR_OVPN_CRYPTO", message);
  return nullptr;
}

napi_value ThrowErrno(napi_env env, int error, const char* syscall) {
  char message[160];
  snprintf(message, sizeof message, "%s: %s", syscall, strerror(error));
  napi_value text, code, object;
  char name[64];
  uv_err_name_r(-error, name, sizeof name);
  if (napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text) != napi_ok ||
      napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &code) != napi_ok ||
      napi_create_error(env, code, text, &object) != napi_ok) {
    return nullptr;
  }
  napi_set_named_property(env, object, "errno", MakeInt(env, error));
  napi_set_named_property(env, object, "syscall", MakeText(env, syscall));
  napi_throw(env, object);
  return nullptr;
}

Args::Args(napi_env env, napi_callback_info info) : env_(env) {
  size_t count = kMaxArgs;
  if (napi_get_cb_info(env, info, &count, values_, &self_, nullptr) != napi_ok) Fail("no call information");
}

bool Args::Fail(const char* message) {
  if (ok_) ThrowMisuse(env_, message);
  ok_ = false;
  return false;
}

bool Args::Byte(size_t index, Bytes* out) {
  if (!ok_) return false;
  napi_typedarray_type type;
  void* data = nullptr;
  if (napi_get_typedarray_info(env_, values_[index], &type, &out->size, &data, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    return Fail("a Uint8Array is needed");
  }
  out->data = static_cast<uint8_t*>(data);
  return true;
}

bool Args::Int32s(size_t index, Words* out) {
  if (!ok_) return false;
  napi_typedarray_type type;
  void* data = nullptr;
  if (napi_get_typedarray_info(env_, values_[index], &type, &out->size, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array) {
    return Fail("an Int32Array is needed");
  }
  out->data = static_cast<int32_t*>(data);
  return true;
}

bool Args::Uint32s(size_t index, uint32_t** data, size_t* size) {
  if (!ok_) return false;
  napi_typedarray_type type;
  void* memory = nullptr;
  if (napi_get_typedarray_info(env_, values_[index], &type, size, &memory, nullptr, nullptr) != napi_ok ||
      type != napi_uint32_array) {
    return Fail("a Uint32Array is needed");
  }
  *data = static_cast<uint32_t*>(memory);
  return true;
}

bool Args::Int(size_t index, int32_t* out) {
  if (!ok_) return false;
  double value;
  if (napi_get_value_double(env_, values_[index], &value) != napi_ok ||
      !(value >= INT32_MIN && value <= INT32_MAX)) {
    return Fail("a 32-bit number is needed");
  }
  *out = static_cast<int32_t>(value);
  return true;
}

bool Args::Number(size_t index, double* out) {
  if (!ok_) return false;
  if (napi_get_value_double(env_, values_[index], out) != napi_ok) return Fail("a number is needed");
  return true;
}

bool Args::Bool(size_t index, bool* out) {
  if (!ok_) return false;
  if (napi_get_value_bool(env_, values_[index], out) != napi_ok) return Fail("a boolean is needed");
  return true;
}

bool Args::Text(size_t index, std::string* out) {
  if (!ok_) return false;
  size_t size = 0;
  if (napi_get_value_string_utf8(env_, values_[index], nullptr, 0, &size) != napi_ok) {
    return Fail("a string is needed");
  }
  out->resize(size + 1);
  if (napi_get_value_string_utf8(env_, values_[index], &(*out)[0], size + 1, &size) != napi_ok) {
    return Fail("a string is needed");
  }
  out->resize(size);
  if (out->find('\0') != std::string::npos) return Fail("a string without NUL is needed");
  return true;
}

bool Args::Function(size_t index, napi_value* out) {
  if (!ok_) return false;
  napi_valuetype type;
  if (napi_typeof(env_, values_[index], &type) != napi_ok || type != napi_function) {
    return Fail("a function is needed");
  }
  *out = values_[index];
  return true;
}

bool Args::Constructing(napi_callback_info info) {
  napi_value target = nullptr;
  if (napi_get_new_target(env_, info, &target) != napi_ok || target == nullptr) {
    return Fail("the class needs new");
  }
  return true;
}

bool Batch::Read(napi_env env, Args* args, size_t slab_at, size_t slot_size_at, size_t offsets_at) {
  Bytes bytes;
  Words offset_words, length_words;
  int32_t size;
  if (!args->Byte(slab_at, &bytes) || !args->Int(slot_size_at, &size) ||
      !args->Int32s(offsets_at, &offset_words) || !args->Int32s(offsets_at + 1, &length_words)) {
    return false;
  }
  if (size <= 0 || bytes.size > INT32_MAX) {
    ThrowMisuse(env, "the slot size or the slab is out of range");
    return false;
  }
  slab = bytes.data;
  slot_size = static_cast<size_t>(size);
  offsets = offset_words.data;
  lengths = length_words.data;
  capacity = bytes.size / slot_size;
  if (offset_words.size < capacity) capacity = offset_words.size;
  if (length_words.size < capacity) capacity = length_words.size;
  return true;
}

bool Batch::CheckRun(napi_env env, int32_t first, int32_t end) const {
  if (first < 0 || end < first || static_cast<size_t>(end) > capacity) {
    ThrowMisuse(env, "the run of slots is outside the batch");
    return false;
  }
  for (size_t i = first; i < static_cast<size_t>(end); i++) {
    const int64_t length = lengths[i];
    if (length == 0) continue;
    const int64_t begin = static_cast<int64_t>(i * slot_size);
    const int64_t offset = offsets[i];
    if (length < 0 || offset < begin || offset + length > begin + static_cast<int64_t>(slot_size)) {
      ThrowMisuse(env, "a packet lies outside its slot");
      return false;
    }
  }
  return true;
}

bool Batch::ReadRoom(napi_env env, Args* args, size_t headroom_at, int32_t limit, size_t* headroom,
                     size_t* room) const {
  int32_t before, behind;
  if (!args->Int(headroom_at, &before) || !args->Int(headroom_at + 1, &behind)) return false;
  const int64_t left = static_cast<int64_t>(slot_size) - before - behind;
  if (before < 0 || behind < 0 || left <= 0 || limit < 0 || static_cast<size_t>(limit) > capacity) {
    ThrowMisuse(env, "headroom, tailroom or limit is outside the batch");
    return false;
  }
  *headroom = static_cast<size_t>(before);
  *room = static_cast<size_t>(left);
  return true;
}

bool ErrorLog::Init(napi_env env, napi_value array) {
  return napi_create_reference(env, array, 1, &array_) == napi_ok;
}

void ErrorLog::Release(napi_env env) {
  if (array_ != nullptr) napi_delete_reference(env, array_);
  array_ = nullptr;
}

void ErrorLog::Add(napi_env env, int32_t op, int error, int32_t info) {
  if (array_ == nullptr) return;
  napi_value array = nullptr;
  napi_typedarray_type type;
  size_t size = 0;
  void* data = nullptr;
  if (napi_get_reference_value(env, array_, &array) != napi_ok || array == nullptr ||
      napi_get_typedarray_info(env, array, &type, &size, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array || size < 1) {
    return;
  }
  int32_t* words = static_cast<int32_t*>(data);
  const int64_t count = words[0];
  if (count < 0 || 1 + 3 * (count + 1) > static_cast<int64_t>(size)) return;
  words[1 + 3 * count] = op;
  words[2 + 3 * count] = error;
  words[3 + 3 * count] = info;
  words[0] = static_cast<int32_t>(count + 1);
}

napi_property_descriptor DescribeMethod(const Method& method) {
  napi_property_descriptor property = {};
  property.utf8name = method.name;
  property.method = method.function;
  property.attributes = napi_default_method;
  return property;
}

napi_property_descriptor DescribeGetter(const Method& getter) {
  napi_property_descriptor property = {};
  property.utf8name = getter.name;
  property.getter = getter.function;
  property.attributes = napi_enumerable;
  return property;
}

bool DefineProperties(napi_env env, napi_value exports, const char* name, napi_callback constructor,
                      const napi_property_descriptor* properties, size_t count) {
  napi_value object;
  return napi_define_class(env, name, NAPI_AUTO_LENGTH, constructor, nullptr, count, properties, &object) ==
             napi_ok &&
         napi_set_named_property(env, exports, name, object) == napi_ok;
}

bool DefineFunction(napi_env env, napi_value exports, const char* name, napi_callback function) {
  napi_value object;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &object) == napi_ok &&
         napi_set_named_property(env, exports, name, object) == napi_ok;
}

napi_value MakeInt(napi_env env, int64_t value) {
  napi_value result = nullptr;
  napi_create_int64(env, value, &result);
  return result;
}

napi_value MakeBool(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

napi_value MakeText(napi_env env, const char* text) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result);
  return result;
}

}  // namespace ovpn
