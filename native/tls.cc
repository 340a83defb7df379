// Settings that TLS sessions share (2.x ssl_openssl.c, tls_ctx_*()): one SSL_CTX on the OpenSSL inside
// node. Each method gives undefined when OpenSSL took what it was given, else OpenSSL's error text; 2.x's
// words around it, and the order of the calls, are in src/ssl/ssl-native-context.ts.
//
// No tickets, resumption, compression or renegotiation. A password is never asked for at a terminal.
#include "tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <climits>
#include <cstring>
#include <memory>

#include "tls_key.h"

namespace ovpn {

bool InitTlsSession(napi_env env, napi_value exports);

namespace {

// SSL_OP_NO_RX_CERTIFICATE_COMPRESSION of OpenSSL 3.2 and newer, which older headers lack: tls_screen.cc
// reads no compressed certificates.
constexpr uint64_t kNoCompressedCertificates = uint64_t{1} << 33;

template <typename T, void (*Free)(T*)>
struct Freeing {
  void operator()(T* object) const { Free(object); }
};
void FreeBio(BIO* bio) { BIO_free(bio); }
void FreeInfos(STACK_OF(X509_INFO) * infos) { sk_X509_INFO_pop_free(infos, X509_INFO_free); }
void FreeNames(STACK_OF(X509_NAME) * names) { sk_X509_NAME_pop_free(names, X509_NAME_free); }
void FreeCerts(STACK_OF(X509) * certs) { sk_X509_pop_free(certs, X509_free); }

using BioPtr = std::unique_ptr<BIO, Freeing<BIO, FreeBio>>;
using X509Ptr = std::unique_ptr<X509, Freeing<X509, X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY, EVP_PKEY_free>>;
using Pkcs12Ptr = std::unique_ptr<PKCS12, Freeing<PKCS12, PKCS12_free>>;
using InfosPtr = std::unique_ptr<STACK_OF(X509_INFO), Freeing<STACK_OF(X509_INFO), FreeInfos>>;
using NamesPtr = std::unique_ptr<STACK_OF(X509_NAME), Freeing<STACK_OF(X509_NAME), FreeNames>>;
using CertsPtr = std::unique_ptr<STACK_OF(X509), Freeing<STACK_OF(X509), FreeCerts>>;

// PEM password callback; `data` is a std::string*, or nullptr for none.
int GivePassword(char* buffer, int size, int, void* data) {
  const std::string* password = static_cast<const std::string*>(data);
  if (password == nullptr || size < 0 || password->size() > static_cast<size_t>(size)) return -1;
  memcpy(buffer, password->data(), password->size());
  return static_cast<int>(password->size());
}

BioPtr ReadBio(const std::string& text) {
  if (text.size() > INT_MAX) return nullptr;
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Whether reading stopped because no further PEM block follows; takes that error off the queue.
bool AtEndOfPem() {
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) return false;
  ERR_clear_error();
  return true;
}

napi_value Taken(napi_env env, bool good) {
  if (good) {
    ERR_clear_error();
    return nullptr;
  }
  return MakeText(env, TakeTlsError().c_str());
}

TlsContext* UnwrapOpen(napi_env env, const Args& args) {
  TlsContext* context = Unwrap<TlsContext>(env, args.self());
  if (context != nullptr && context->ssl_ctx == nullptr) {
    ThrowMisuse(env, "the TLS context was closed");
    return nullptr;
  }
  ERR_clear_error();
  return context;
}

// new TlsContext(server, requestCert)
napi_value NewContext(napi_env env, napi_callback_info info) {
  Args args(env, info);
  bool server, request_cert;
  if (!args.Constructing(info) || !args.Bool(0, &server) || !args.Bool(1, &request_cert)) return nullptr;
  ERR_clear_error();
  std::unique_ptr<TlsContext> context(new TlsContext());
  context->server = server;
  SSL_CTX* ctx = context->ssl_ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
  if (ctx == nullptr) return ThrowCrypto(env, TakeTlsError().c_str());
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_SINGLE_DH_USE |
                               kNoCompressedCertificates);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, 0);
  static const unsigned char kIdContext[] = "OpenVPN";
  SSL_CTX_set_session_id_context(ctx, kIdContext, sizeof kIdContext - 1);
  SSL_CTX_set_verify(ctx, !server || request_cert ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NoteVerification);
  SSL_CTX_set_cert_verify_callback(ctx, VerifyChain, nullptr);
  return Wrap(env, args.self(), context.release());
}

napi_value CloseContext(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsContext* context = Unwrap<TlsContext>(env, args.self());
  if (context == nullptr) return nullptr;
  SSL_CTX_free(context->ssl_ctx);
  context->ssl_ctx = nullptr;
  return nullptr;
}

// setVersions(min, max): protocol numbers as on the wire, e.g. 0x0303.
napi_value SetVersions(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsContext* context = UnwrapOpen(env, args);
  int32_t least, most;
  if (context == nullptr || !args.Int(0, &least) || !args.Int(1, &most)) return nullptr;
  return Taken(env, SSL_CTX_set_min_proto_version(context->ssl_ctx, least) == 1 &&
                        SSL_CTX_set_max_proto_version(context->ssl_ctx, most) == 1);
}

// setSecurityLevel(level)
napi_value SetSecurityLevel(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsContext* context = UnwrapOpen(env, args);
  int32_t level;
  if (context == nullptr || !args.Int(0, &level)) return nullptr;
  SSL_CTX_set_security_level(context->ssl_ctx, level);
  return nullptr;
}

// One text to one OpenSSL call that says 1 when good.
template <int (*Set)(SSL_CTX*, const char*)>
napi_value SetText(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsContext* context = UnwrapOpen(env, args);
  std::string text;
  if (context == nullptr || !args.Text(0, &text)) return nullptr;
  return Taken(env, Set(context->ssl_ctx, text.c_str()) == 1);
}

int SetGroups(SSL_CTX* ctx, const char* groups) {
  return static_cast<int>(SSL_CTX_set1_groups_list(ctx, groups));
}

bool HasName(const STACK_OF(X509_NAME) * names, const X509_NAME* name) {
  for (int i = 0; i < sk_X509_NAME_num(names); i++) {
    if (X509_NAME_cmp(sk_X509_NAME_value(names, i), name) == 0) return true;
  }
  return false;
}

// A certificate that may end a peer's chain, and whose name a server tells to its clients.
bool AddAuthority(TlsContext* context, X509* cert) {
  if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context->ssl_ctx), cert) != 1) return false;
  if (!context->server ||
      HasName(SSL_CTX_get_client_CA_list(context->ssl_ctx), X509_get_subject_name(cert))) {
    return true;
  }
  return SSL_CTX_add_client_CA(context->ssl_ctx, cert) == 1;
}

// addAuthorities(pem): at least one certificate; lists among them are passed over.
napi_value AddAuthorities(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsContext* context = UnwrapOpen(env, args);
  std::string pem;
  if (context == nullptr || !args.Text(0, &pem)) return nullptr;
  BioPtr bio = ReadBio(pem);
  InfosPtr infos(bio ? PEM_X509_INFO_read_bio(bio.get(), nullptr, GivePassword, nullptr) : nullptr);
  int added = 0;
  for (int i = 0; infos && i < sk_X509_INFO_num(infos.get()); i++) {
    const X509_INFO* item = sk_X509_INFO_value(infos.get(), i);
    if (item->x509 == nullptr) continue;
    if (!AddAuthority(context, item->x509)) return Taken(env, false);
    added++;
  }
  return Taken(env, added > 0);
}

// Adds the certificates of `bio` to those that are sent behind our own.
bool AddChain(TlsContext* context, BIO* bio, bool optional) {
  for (;; optional = true) {
    X509Ptr cert(PEM_read_bio_X509(bio, nullptr, GivePassword, nullptr));
    if (!cert) return optional && AtEndOfPem();
    if (SSL_CTX_add_extra_chain_cert(context->ssl_ctx, cert.get()) != 1) return false;
    cert.release();
  }
}

// useCertificate(pem): our own certificate, its chain behind it.
napi_value UseCertificate(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsContext* context = UnwrapOpen(env, args);
  std::string pem;
  if (context == nullptr || !args.Text(0, &pem)) return nullptr;
  BioPtr bio = ReadBio(pem);
  X509Ptr cert(bio ? PEM_read_bio_X509(bio.get(), nullptr, GivePassword, nullptr) : nullptr);
  return Taken(env, cert && SSL_CTX_use_certificate(context->ssl_ctx, cert.get()) == 1 &&
                        AddChain(context, bio.get(), true));
}

// addExtraCertificates(pem)
napi_value AddExtraCertificates(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsContext* context = UnwrapOpen(env, args);
  std::string pem;
  if (context == nullptr || !args.Text(0, &pem)) return nullptr;
  BioPtr bio = ReadBio(pem);
  return Taken(env, bio && AddChain(context, bio.get(), false));
}

// usePrivateKey(pem, password): an empty password counts as none.
napi_value UsePrivateKey(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsContext* context = UnwrapOpen(env, args);
  std::string pem, password;
  if (context == nullptr || !args.Text(0, &pem) || !args.Text(1, &password)) return nullptr;
  BioPtr bio = ReadBio(pem);
  KeyPtr key(
      bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, GivePassword, password.empty() ? nullptr : &password)
          : nullptr);
  OPENSSL_cleanse(&pem[0], pem.size());
  OPENSSL_cleanse(&password[0], password.size());
  return Taken(env, key && SSL_CTX_use_PrivateKey(context->ssl_ctx, key.get()) == 1);
}

// useExternalKey(): the private key of the certificate in use lives elsewhere, sessions ask for signatures.
napi_value UseExternalKey(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsContext* context = UnwrapOpen(env, args);
  if (context == nullptr) return nullptr;
  const X509* cert = SSL_CTX_get0_certificate(context->ssl_ctx);
  EVP_PKEY* public_half = cert == nullptr ? nullptr : X509_get0_pubkey(cert);
  if (public_half == nullptr) return Taken(env, false);
  std::string problem;
  KeyPtr key(MakeExternalKey(public_half, &problem));
  if (!key) return MakeText(env, problem.c_str());
  SSL_CTX_set_mode(context->ssl_ctx, SSL_MODE_ASYNC);
  return Taken(env, SSL_CTX_use_PrivateKey(context->ssl_ctx, key.get()) == 1);
}

// privateKeyFits(): whether certificate and private key in use belong together. A key of another kind than
// the certificate's is taken by usePrivateKey() all the same.
napi_value PrivateKeyFits(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsContext* context = UnwrapOpen(env, args);
  if (context == nullptr) return nullptr;
  const bool fits = SSL_CTX_check_private_key(context->ssl_ctx) == 1;
  ERR_clear_error();
  return MakeBool(env, fits);
}

// Certificates of a PKCS#12 file beside our own: authorities, or only sent along.
bool UsePkcs12Certificates(TlsContext* context, STACK_OF(X509) * certs, bool authorities) {
  for (int i = 0; certs != nullptr && i < sk_X509_num(certs); i++) {
    X509* cert = sk_X509_value(certs, i);
    if (authorities) {
      if (!AddAuthority(context, cert)) return false;
    } else {
      if (X509_up_ref(cert) != 1) return false;
      if (SSL_CTX_add_extra_chain_cert(context->ssl_ctx, cert) != 1) {
        X509_free(cert);
        return false;
      }
    }
  }
  return true;
}

// usePkcs12(der, password, authorities)
napi_value UsePkcs12(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsContext* context = UnwrapOpen(env, args);
  Bytes der;
  std::string password;
  bool authorities;
  if (context == nullptr || !args.Byte(0, &der) || !args.Text(1, &password) || !args.Bool(2, &authorities)) {
    return nullptr;
  }
  const unsigned char* at = der.data;
  Pkcs12Ptr file(der.size > 0 && der.size <= LONG_MAX ? d2i_PKCS12(nullptr, &at, static_cast<long>(der.size))
                                                      : nullptr);
  if (!file) return Taken(env, false);
  EVP_PKEY* key = nullptr;
  X509* cert = nullptr;
  STACK_OF(X509)* certs = nullptr;
  bool good = PKCS12_parse(file.get(), "", &key, &cert, &certs) == 1;
  if (!good) {
    ERR_clear_error();
    certs = nullptr;
    good = PKCS12_parse(file.get(), password.c_str(), &key, &cert, &certs) == 1;
  }
  OPENSSL_cleanse(&password[0], password.size());
  KeyPtr own_key(good ? key : nullptr);
  X509Ptr own_cert(good ? cert : nullptr);
  CertsPtr rest(good ? certs : nullptr);
  return Taken(env, good && own_key && own_cert &&
                        SSL_CTX_use_certificate(context->ssl_ctx, own_cert.get()) == 1 &&
                        SSL_CTX_use_PrivateKey(context->ssl_ctx, own_key.get()) == 1 &&
                        UsePkcs12Certificates(context, rest.get(), authorities));
}

// setDh(pem): DH parameters, or 'auto' for those that fit our key.
napi_value SetDh(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsContext* context = UnwrapOpen(env, args);
  std::string pem;
  if (context == nullptr || !args.Text(0, &pem)) return nullptr;
  if (pem == "auto") return Taken(env, SSL_CTX_set_dh_auto(context->ssl_ctx, 1) == 1);
  // OpenSSL takes no password callback here and would ask at the terminal.
  BioPtr bio = pem.find("ENCRYPTED") == std::string::npos ? ReadBio(pem) : nullptr;
  KeyPtr parameters(bio ? PEM_read_bio_Parameters(bio.get(), nullptr) : nullptr);
  if (!parameters || SSL_CTX_set0_tmp_dh_pkey(context->ssl_ctx, parameters.get()) != 1) {
    return Taken(env, false);
  }
  parameters.release();
  return Taken(env, true);
}

}  // namespace

std::string TakeTlsError() {
  const unsigned long code = ERR_peek_error();
  char text[256] = "no reason given";
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

bool InitTls(napi_env env, napi_value exports) {
  const Method methods[] = {
      {"setVersions", SetVersions},
      {"setSecurityLevel", SetSecurityLevel},
      {"setCiphers", SetText<SSL_CTX_set_cipher_list>},
      {"setCiphersuites", SetText<SSL_CTX_set_ciphersuites>},
      {"setGroups", SetText<SetGroups>},
      {"addAuthorities", AddAuthorities},
      {"useCertificate", UseCertificate},
      {"addExtraCertificates", AddExtraCertificates},
      {"usePrivateKey", UsePrivateKey},
      {"useExternalKey", UseExternalKey},
      {"privateKeyFits", PrivateKeyFits},
      {"usePkcs12", UsePkcs12},
      {"setDh", SetDh},
      {"close", CloseContext},
  };
  return DefineClass(env, exports, "TlsContext", NewContext, methods) && InitTlsSession(env, exports);
}

}  // namespace ovpn
