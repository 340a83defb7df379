// Entry of the addon: one property per class or function that src/native/native.ts declares.
// Worker threads may load it too, as many as like at once: environment.h says what belongs to whom.
#include "environment.h"

namespace ovpn {
// NATIVE_ABI of src/native/native-abi.ts, which says when it changes.
constexpr int32_t kAbi = 2;

bool InitAead(napi_env env, napi_value exports);
bool InitAeadEpoch(napi_env env, napi_value exports);
bool InitMac(napi_env env, napi_value exports);
bool InitNetlink(napi_env env, napi_value exports);
bool InitProcess(napi_env env, napi_value exports);
bool InitProvider(napi_env env, napi_value exports);
bool InitSegment(napi_env env, napi_value exports);
bool InitSocket(napi_env env, napi_value exports);
bool InitTls(napi_env env, napi_value exports);
bool InitTun(napi_env env, napi_value exports);
bool InitUdp(napi_env env, napi_value exports);
}  // namespace ovpn

NAPI_MODULE_INIT() {
  if (!ovpn::Environment::Attach(env) || !ovpn::InitAead(env, exports) ||
      !ovpn::InitAeadEpoch(env, exports) || !ovpn::InitMac(env, exports) ||
      !ovpn::InitNetlink(env, exports) || !ovpn::InitProcess(env, exports) ||
      !ovpn::InitProvider(env, exports) || !ovpn::InitSegment(env, exports) ||
      !ovpn::InitSocket(env, exports) || !ovpn::InitTls(env, exports) || !ovpn::InitTun(env, exports) ||
      !ovpn::InitUdp(env, exports)) {
    napi_throw_error(env, nullptr, "the addon can't define its classes");
    return nullptr;
  }
  napi_set_named_property(env, exports, "abi", ovpn::MakeInt(env, ovpn::kAbi));
  return exports;
}
