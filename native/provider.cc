// OpenSSL providers of the process (2.x crypto_openssl.c, crypto_load_provider()): `legacy` is inside of node
// like `default`, others come from files. A provider stays loaded until the process ends.
#include <openssl/err.h>
#include <openssl/provider.h>

#include <string>

#include "common.h"

namespace ovpn {
namespace {

constexpr size_t kErrorText = 256;

// The error queue, oldest first, one line each as `error:NUMBER:LIBRARY::REASON:DETAILS`; empties the queue.
std::string TakeErrors() {
  std::string lines;
  const char* details = nullptr;
  int flags = 0;
  while (unsigned long error = ERR_get_error_all(nullptr, nullptr, nullptr, &details, &flags)) {
    char text[kErrorText];
    ERR_error_string_n(error, text, sizeof text);
    if (!lines.empty()) lines += '\n';
    lines += text;
    lines += ':';
    if (details != nullptr && (flags & ERR_TXT_STRING) != 0) lines += details;
  }
  return lines;
}

// loadProvider(name): undefined when it is loaded, else OpenSSL's errors.
napi_value LoadProvider(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string name;
  if (!args.Text(0, &name)) return nullptr;
  ERR_clear_error();
  if (OSSL_PROVIDER_load(nullptr, name.c_str()) != nullptr) {
    ERR_clear_error();
    return nullptr;
  }
  return MakeText(env, TakeErrors().c_str());
}

}  // namespace

bool InitProvider(napi_env env, napi_value exports) {
  return DefineFunction(env, exports, "loadProvider", LoadProvider);
}

}  // namespace ovpn
