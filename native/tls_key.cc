// Private keys that live elsewhere: an OpenSSL provider of our own whose keys know the public half and ask
// for each signature (the place of 2.x's xkey_provider.c and of its RSA and EC methods before OpenSSL 3).
//
// The provider is loaded into a library context of its own, so that no other code of the process ever
// fetches from it; an SSL finds its signature algorithm through the key. The signature method runs within
// an ASYNC job of SSL_do_handshake() (SSL_MODE_ASYNC): it stores the question in the session's Signing,
// pauses the job, and goes on with the answer when the session calls SSL_do_handshake() again.
// A job has a small stack that V8 doesn't know: nothing of N-API is called from here.
#include "tls_key.h"

#include <openssl/async.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include <climits>
#include <cstring>
#include <utility>

namespace ovpn {
namespace {

constexpr char kProviderName[] = "openvpn-ts-key";
constexpr char kProperties[] = "provider=openvpn-ts-key";

// The session whose SSL_do_handshake() runs in this thread.
thread_local Signing* current_signing = nullptr;

// ---- Keys: the public half, in OpenSSL's own form.

struct Key {
  explicit Key(const char* type_name) : type(type_name) {}
  ~Key() { EVP_PKEY_free(public_half); }

  const char* const type;
  EVP_PKEY* public_half = nullptr;
};

constexpr char kRsa[] = "RSA", kEc[] = "EC", kEd25519[] = "ED25519", kEd448[] = "ED448";

template <const char* Type>
void* NewKey(void*) {
  return new Key(Type);
}

void FreeKey(void* key) { delete static_cast<Key*>(key); }

// The private half counts as there.
int KeyHas(const void* key, int) { return static_cast<const Key*>(key)->public_half != nullptr; }

int KeysMatch(const void* one, const void* other, int) {
  return EVP_PKEY_eq(static_cast<const Key*>(one)->public_half,
                     static_cast<const Key*>(other)->public_half) == 1;
}

int ImportKey(void* data, int, const OSSL_PARAM params[]) {
  Key* key = static_cast<Key*>(data);
  EVP_PKEY_CTX* ctx = EVP_PKEY_CTX_new_from_name(nullptr, key->type, nullptr);
  EVP_PKEY* made = nullptr;
  const bool good = ctx != nullptr && EVP_PKEY_fromdata_init(ctx) == 1 &&
                    EVP_PKEY_fromdata(ctx, &made, EVP_PKEY_PUBLIC_KEY, const_cast<OSSL_PARAM*>(params)) == 1;
  EVP_PKEY_CTX_free(ctx);
  if (!good) return 0;
  EVP_PKEY_free(key->public_half);
  key->public_half = made;
  return 1;
}

const OSSL_PARAM* ImportTypes(int) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, nullptr, 0), OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0),
      OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0), OSSL_PARAM_END};
  return params;
}

int KeyParams(void* key, OSSL_PARAM params[]) {
  return EVP_PKEY_get_params(static_cast<Key*>(key)->public_half, params);
}

const OSSL_PARAM* GettableKeyParams(void*) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, nullptr), OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, nullptr),
      OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, nullptr),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0), OSSL_PARAM_END};
  return params;
}

template <const char* Name>
const char* SignatureName(int) {
  return Name;
}

template <typename F>
constexpr OSSL_DISPATCH Entry(int id, F* function) {
  return {id, reinterpret_cast<void (*)(void)>(function)};
}

constexpr char kEcdsa[] = "ECDSA";

template <const char* Type, const char* Signature>
const OSSL_DISPATCH* KeyMethods() {
  static const OSSL_DISPATCH methods[] = {
      Entry(OSSL_FUNC_KEYMGMT_NEW, NewKey<Type>),
      Entry(OSSL_FUNC_KEYMGMT_FREE, FreeKey),
      Entry(OSSL_FUNC_KEYMGMT_HAS, KeyHas),
      Entry(OSSL_FUNC_KEYMGMT_MATCH, KeysMatch),
      Entry(OSSL_FUNC_KEYMGMT_IMPORT, ImportKey),
      Entry(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, ImportTypes),
      Entry(OSSL_FUNC_KEYMGMT_GET_PARAMS, KeyParams),
      Entry(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, GettableKeyParams),
      Entry(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, SignatureName<Signature>),
      {0, nullptr},
  };
  return methods;
}

// ---- Signatures

struct Operation {
  const Key* key = nullptr;
  std::string digest;
  int padding = RSA_PKCS1_PADDING;
  int salt = RSA_PSS_SALTLEN_DIGEST;
};

void* NewOperation(void*, const char*) { return new Operation(); }
void FreeOperation(void* operation) { delete static_cast<Operation*>(operation); }

// Padding and salt come as numbers, or as words.
int SetOperationParams(void* data, const OSSL_PARAM params[]) {
  Operation* operation = static_cast<Operation*>(data);
  if (const OSSL_PARAM* padding = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE)) {
    const char* word = nullptr;
    if (padding->data_type != OSSL_PARAM_UTF8_STRING) {
      if (OSSL_PARAM_get_int(padding, &operation->padding) != 1) return 0;
    } else if (OSSL_PARAM_get_utf8_string_ptr(padding, &word) != 1) {
      return 0;
    } else {
      operation->padding =
          strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0 ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
    }
    if (operation->padding != RSA_PKCS1_PADDING && operation->padding != RSA_PKCS1_PSS_PADDING) return 0;
  }
  if (const OSSL_PARAM* salt = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN)) {
    const char* word = nullptr;
    if (salt->data_type != OSSL_PARAM_UTF8_STRING) return OSSL_PARAM_get_int(salt, &operation->salt);
    // TLS knows no other length.
    return OSSL_PARAM_get_utf8_string_ptr(salt, &word) == 1 &&
           strcmp(word, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0;
  }
  return 1;
}

const OSSL_PARAM* SettableOperationParams(void*, void*) {
  static const OSSL_PARAM params[] = {OSSL_PARAM_int(OSSL_SIGNATURE_PARAM_PAD_MODE, nullptr),
                                      OSSL_PARAM_int(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, nullptr),
                                      OSSL_PARAM_END};
  return params;
}

int StartOperation(void* data, const char* digest, void* key, const OSSL_PARAM params[]) {
  Operation* operation = static_cast<Operation*>(data);
  if (key != nullptr) operation->key = static_cast<const Key*>(key);
  operation->digest = digest == nullptr ? "" : digest;
  return operation->key != nullptr && (params == nullptr || SetOperationParams(operation, params) == 1);
}

// `SHA256` of OpenSSL's many names for it.
std::string DigestName(const std::string& name) {
  const EVP_MD* digest = name.empty() ? nullptr : EVP_get_digestbyname(name.c_str());
  return digest == nullptr ? name : OBJ_nid2sn(EVP_MD_get_type(digest));
}

int SaltLength(const Operation& operation) {
  const EVP_MD* digest = EVP_get_digestbyname(operation.digest.c_str());
  return operation.salt >= 0 || digest == nullptr ? operation.salt : EVP_MD_get_size(digest);
}

SignRequest MakeRequest(const Operation& operation, const uint8_t* message, size_t size) {
  SignRequest request;
  request.message.assign(message, message + size);
  request.digest = DigestName(operation.digest);
  const char* type = operation.key->type;
  if (type == kRsa && operation.padding == RSA_PKCS1_PSS_PADDING) {
    request.padding = "RSA_PKCS1_PSS_PADDING";
    request.salt = SaltLength(operation);
  } else {
    request.padding = type == kRsa ? "RSA_PKCS1_PADDING" : type == kEc ? "ECDSA" : "EDDSA";
  }
  return request;
}

// Without `signature`: the longest that may come.
int Sign(void* data, unsigned char* signature, size_t* size, size_t room, const unsigned char* message,
         size_t message_size) {
  const Operation& operation = *static_cast<Operation*>(data);
  EVP_PKEY* public_half = operation.key->public_half;
  if (signature == nullptr) {
    *size = static_cast<size_t>(EVP_PKEY_get_size(public_half));
    return 1;
  }
  Signing* signing = current_signing;
  if (signing == nullptr || signing->refused || ASYNC_get_current_job() == nullptr) return 0;
  signing->Ask(MakeRequest(operation, message, message_size), public_half);
  while (signing->waiting && ASYNC_pause_job() == 1) {
  }
  // A job that can't be paused.
  if (signing->waiting) signing->Refuse();
  const std::vector<uint8_t>& answer = signing->answer;
  if (signing->refused || answer.empty() || answer.size() > room) return 0;
  memcpy(signature, answer.data(), answer.size());
  *size = answer.size();
  return 1;
}

const OSSL_DISPATCH* SignatureMethods() {
  static const OSSL_DISPATCH methods[] = {
      Entry(OSSL_FUNC_SIGNATURE_NEWCTX, NewOperation),
      Entry(OSSL_FUNC_SIGNATURE_FREECTX, FreeOperation),
      Entry(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, StartOperation),
      Entry(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, Sign),
      Entry(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, SetOperationParams),
      Entry(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, SettableOperationParams),
      {0, nullptr},
  };
  return methods;
}

// ---- The provider

const OSSL_ALGORITHM* Query(void*, int operation, int* no_cache) {
  static const OSSL_ALGORITHM keys[] = {
      {"RSA:rsaEncryption:1.2.840.113549.1.1.1", kProperties, KeyMethods<kRsa, kRsa>(), nullptr},
      {"EC:id-ecPublicKey:1.2.840.10045.2.1", kProperties, KeyMethods<kEc, kEcdsa>(), nullptr},
      {"ED25519:1.3.101.112", kProperties, KeyMethods<kEd25519, kEd25519>(), nullptr},
      {"ED448:1.3.101.113", kProperties, KeyMethods<kEd448, kEd448>(), nullptr},
      {nullptr, nullptr, nullptr, nullptr},
  };
  static const OSSL_ALGORITHM signatures[] = {
      {"RSA:rsaEncryption:1.2.840.113549.1.1.1", kProperties, SignatureMethods(), nullptr},
      {"ECDSA", kProperties, SignatureMethods(), nullptr},
      {"ED25519:1.3.101.112", kProperties, SignatureMethods(), nullptr},
      {"ED448:1.3.101.113", kProperties, SignatureMethods(), nullptr},
      {nullptr, nullptr, nullptr, nullptr},
  };
  *no_cache = 0;
  return operation == OSSL_OP_KEYMGMT ? keys : operation == OSSL_OP_SIGNATURE ? signatures : nullptr;
}

int InitKeyProvider(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** out,
                    void** context) {
  static const OSSL_DISPATCH methods[] = {Entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, Query), {0, nullptr}};
  static char unused;
  *out = methods;
  *context = &unused;
  return 1;
}

// Made at the first use, for all threads, until the process ends.
OSSL_LIB_CTX* KeyLibrary() {
  static OSSL_LIB_CTX* const library = [] {
    OSSL_LIB_CTX* made = OSSL_LIB_CTX_new();
    if (made != nullptr && OSSL_PROVIDER_add_builtin(made, kProviderName, InitKeyProvider) == 1 &&
        OSSL_PROVIDER_load(made, kProviderName) != nullptr) {
      return made;
    }
    OSSL_LIB_CTX_free(made);
    return static_cast<OSSL_LIB_CTX*>(nullptr);
  }();
  return library;
}

const char* KnownType(const EVP_PKEY* key) {
  for (const char* type : {kRsa, kEc, kEd25519, kEd448}) {
    if (EVP_PKEY_is_a(key, type)) return type;
  }
  return nullptr;
}

bool VerifiesAs(const SignRequest& request, EVP_PKEY* key, const uint8_t* signature, size_t size) {
  EVP_MD_CTX* ctx = EVP_MD_CTX_new();
  EVP_PKEY_CTX* key_ctx = nullptr;
  const char* digest = request.digest.empty() ? nullptr : request.digest.c_str();
  bool good =
      ctx != nullptr && EVP_DigestVerifyInit_ex(ctx, &key_ctx, digest, nullptr, nullptr, key, nullptr) == 1;
  if (good && request.salt >= 0) {
    good = EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, request.salt) == 1;
  }
  good = good && EVP_DigestVerify(ctx, signature, size, request.message.data(), request.message.size()) == 1;
  EVP_MD_CTX_free(ctx);
  return good;
}

}  // namespace

Signing::~Signing() { EVP_PKEY_free(public_half_); }

void Signing::Ask(SignRequest question, EVP_PKEY* public_half) {
  request = std::move(question);
  EVP_PKEY_free(public_half_);
  public_half_ = EVP_PKEY_up_ref(public_half) == 1 ? public_half : nullptr;
  answer.clear();
  waiting = true;
}

bool Signing::Answer(const uint8_t* signature, size_t size) {
  ERR_clear_error();
  const bool good = public_half_ != nullptr && size > 0 && VerifiesAs(request, public_half_, signature, size);
  ERR_clear_error();
  if (!good) return false;
  answer.assign(signature, signature + size);
  waiting = false;
  return true;
}

void Signing::Refuse() {
  refused = true;
  waiting = false;
}

SigningScope::SigningScope(Signing* signing) : before_(current_signing) { current_signing = signing; }
SigningScope::~SigningScope() { current_signing = before_; }

EVP_PKEY* MakeExternalKey(EVP_PKEY* public_half, std::string* problem) {
  const char* type = KnownType(public_half);
  const char* name = EVP_PKEY_get0_type_name(public_half);
  if (type == nullptr) {
    *problem = std::string("a key of type ") + (name ? name : "unknown") + " can't live elsewhere";
  } else if (ASYNC_is_capable() != 1) *problem = "this OpenSSL has no jobs to wait for a signature";
  if (!problem->empty()) return nullptr;
  OSSL_LIB_CTX* library = KeyLibrary();
  EVP_PKEY_CTX* ctx = library == nullptr ? nullptr : EVP_PKEY_CTX_new_from_name(library, type, kProperties);
  OSSL_PARAM* params = nullptr;
  EVP_PKEY* made = nullptr;
  if (ctx == nullptr || EVP_PKEY_todata(public_half, EVP_PKEY_PUBLIC_KEY, &params) != 1 ||
      EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &made, EVP_PKEY_PUBLIC_KEY, params) != 1) {
    *problem = TakeTlsError();
  }
  OSSL_PARAM_free(params);
  EVP_PKEY_CTX_free(ctx);
  return made;
}

}  // namespace ovpn
