// One TLS session over memory (2.x ssl_openssl.c, key_state_*(); ssl_verify_openssl.c, verify_callback()).
//
//   write(ciphertext) -> handshake or records -> output() ciphertext, plaintext() one record each
//
// Synchronous: when a call returns, everything that follows from it is there. Bytes from the peer are read
// from the caller's array within the call and are used up by its end; only output and plaintext wait, both
// bounded. With a private key that lives elsewhere the handshake runs as a job (tls_key.cc): while it waits
// for a signature, input is kept, bounded too, and whoever ends the session ends the job first. Handshake
// messages that would take OpenSSL too long are kept from it (tls_screen.h). The peer's chain never ends a
// handshake: the first problem is noted with its depth, and the owner judges after the handshake. A session
// that failed takes nothing more; an alert for the peer may still be in output().
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <cstring>
#include <vector>

#include "tls_key.h"
#include "tls_screen.h"

namespace ovpn {
namespace {

// Bits of the state that every call gives, as in src/native/native.ts.
constexpr uint32_t kStateOutput = 1, kStatePlaintext = 2, kStateDone = 4, kStateFailed = 8, kStateSign = 16;
// Ours: a whole push reply is a tenth of it. Beyond it the peer makes us answer without reading.
constexpr size_t kMaxOutput = 256 * 1024;
// Ours: the control channel stops feeding at half of it.
constexpr size_t kMaxPlaintext = 256 * 1024;
// Ours: ciphertext kept while a signature is waited for. The peer has little to say before it has come.
constexpr size_t kMaxKept = 256 * 1024;
// How often a job that is to end may be paused by others than our key; nobody does.
constexpr int kMaxJobTurns = 8;
// Certificates given to the owner: one more than 2.x's MAX_CERT_DEPTH, so that it sees the chain is too long.
constexpr int kMaxChain = 17;
constexpr size_t kMaxRecord = SSL3_RT_MAX_PLAIN_LENGTH;
constexpr size_t kMaxExport = 16 * 1024;
// Type and length of a handshake message.
constexpr size_t kMessageHeader = 4;
constexpr char kUnexpectedEof[] = "error:0A000126:SSL routines::unexpected eof while reading";
constexpr char kNotVerified[] = "application verification failure";

struct TlsSession : Wrapped {
  static constexpr uint32_t kKinds = kTlsSession;
  TlsSession() : Wrapped(kTlsSession) {}
  ~TlsSession() { Close(); }

  uint32_t State() const {
    return (output.empty() ? 0 : kStateOutput) | (plaintext.empty() ? 0 : kStatePlaintext) |
           (done ? kStateDone : 0) | (failure.empty() ? 0 : kStateFailed) |
           (signing.waiting ? kStateSign : 0);
  }
  void Close();
  // Bytes from the peer, and what follows from them; kept while a signature is waited for.
  void Feed(const uint8_t* data, size_t size);
  // Handshake and records, as far as the input goes.
  void Run();
  // The signature that is waited for, or why there is none.
  void TakeSignature(const Bytes& signature);
  void RefuseSignature(const std::string& reason);
  void Send(const Bytes& bytes);

  SSL* ssl = nullptr;
  // Bytes from the peer, within Feed() only.
  const uint8_t* input = nullptr;
  size_t input_size = 0;
  std::vector<uint8_t> kept;
  Signing signing;
  std::vector<uint8_t> output;
  std::vector<std::vector<uint8_t>> plaintext;
  size_t plaintext_bytes = 0;
  bool done = false;
  Screen screen;
  // Why the peer's message was kept from OpenSSL.
  const char* refusal = nullptr;
  std::string failure;
  // OpenSSL had something to write when `output` was full.
  bool output_full = false;
  // What NoteVerification() saw: the leaf found good, and the first problem.
  bool leaf_good = false;
  int problem = X509_V_OK;
  int problem_depth = 0;

 private:
  void Keep(const uint8_t* data, size_t size);
  void EndJob();
  void Fail(int result);
  bool ReadRecord();
};

// ---- The BIO between OpenSSL and the session: reads input, appends to output.

int BioRead(BIO* bio, char* to, int size) {
  TlsSession* session = static_cast<TlsSession*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (size <= 0) return 0;
  if (session->input_size == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t count = session->input_size < static_cast<size_t>(size) ? session->input_size : size;
  memcpy(to, session->input, count);
  session->input += count;
  session->input_size -= count;
  return static_cast<int>(count);
}

int BioWrite(BIO* bio, const char* from, int size) {
  TlsSession* session = static_cast<TlsSession*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (size <= 0) return 0;
  if (session->output.size() + static_cast<size_t>(size) > kMaxOutput) {
    session->output_full = true;
    return -1;
  }
  session->output.insert(session->output.end(), from, from + size);
  return size;
}

long BioControl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* MemoryMethod() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "control channel");
    if (made == nullptr || BIO_meth_set_read(made, BioRead) != 1 || BIO_meth_set_write(made, BioWrite) != 1 ||
        BIO_meth_set_ctrl(made, BioControl) != 1) {
      return static_cast<BIO_METHOD*>(nullptr);
    }
    return made;
  }();
  return method;
}

// OpenSSL calls it for each handshake message that has come whole, before it works on it, and takes no
// answer: a message that is refused is overwritten, so that OpenSSL finds it malformed and ends the session.
void LookAtMessage(int written, int version, int type, const void* message, size_t size, SSL* ssl,
                   void* arg) {
  TlsSession* session = static_cast<TlsSession*>(arg);
  if (written != 0 || type != SSL3_RT_HANDSHAKE || size <= kMessageHeader || session->refusal != nullptr) {
    return;
  }
  const SSL_CIPHER* cipher = SSL_get_pending_cipher(ssl);
  const bool dhe = cipher != nullptr && SSL_CIPHER_get_kx_nid(cipher) == NID_kx_dhe;
  session->refusal = session->done
                         ? session->screen.LookLate()
                         : session->screen.Look(static_cast<const uint8_t*>(message), size, version, dhe);
  if (session->refusal == nullptr) return;
  // The buffer is OpenSSL's own, for reading into, and const for us only.
  memset(static_cast<uint8_t*>(const_cast<void*>(message)) + kMessageHeader, 0xff, size - kMessageHeader);
}

// ---- Session

void TlsSession::Close() {
  if (signing.waiting) EndJob();
  SSL_free(ssl);
  ssl = nullptr;
  std::vector<uint8_t>().swap(kept);
  for (std::vector<uint8_t>& chunk : plaintext) OPENSSL_cleanse(chunk.data(), chunk.size());
  std::vector<std::vector<uint8_t>>().swap(plaintext);
  std::vector<uint8_t>().swap(output);
  plaintext_bytes = 0;
}

void TlsSession::Fail(int result) {
  const int error = SSL_get_error(ssl, result);
  if (error == SSL_ERROR_WANT_READ || (error == SSL_ERROR_WANT_ASYNC && signing.waiting)) return;
  const std::string told = ERR_peek_error() != 0 ? TakeTlsError() : kUnexpectedEof;
  if (refusal != nullptr) failure = refusal;
  else failure = output_full ? "the peer takes no TLS output" : told;
}

bool TlsSession::ReadRecord() {
  uint8_t record[kMaxRecord];
  const int count = SSL_read(ssl, record, sizeof record);
  if (count <= 0) {
    Fail(count);
    return false;
  }
  const size_t size = static_cast<size_t>(count);
  if (plaintext_bytes + size > kMaxPlaintext) {
    failure = "too much TLS plaintext is waiting";
  } else {
    plaintext.emplace_back(record, record + size);
    plaintext_bytes += size;
  }
  OPENSSL_cleanse(record, size);
  return failure.empty();
}

void TlsSession::Feed(const uint8_t* data, size_t size) {
  if (!signing.waiting) {
    input = data;
    input_size = size;
    Run();
    data = input;
    size = input_size;
    input = nullptr;
    input_size = 0;
  }
  if (signing.waiting) Keep(data, size);
}

void TlsSession::Keep(const uint8_t* data, size_t size) {
  if (kept.size() + size <= kMaxKept) {
    kept.insert(kept.end(), data, data + size);
    return;
  }
  failure = "too much TLS ciphertext is waiting";
  EndJob();
}

// A paused job holds a stack and OpenSSL's objects on it: it must go on to be freed.
void TlsSession::EndJob() {
  std::vector<uint8_t>().swap(kept);
  signing.Refuse();
  ERR_clear_error();
  SigningScope scope(&signing);
  for (int turn = 0; turn < kMaxJobTurns; turn++) {
    if (SSL_get_error(ssl, SSL_do_handshake(ssl)) != SSL_ERROR_WANT_ASYNC) break;
  }
  ERR_clear_error();
}

void TlsSession::TakeSignature(const Bytes& signature) {
  if (!signing.Answer(signature.data, signature.size)) {
    RefuseSignature("it gave a signature that doesn't fit the certificate");
    return;
  }
  std::vector<uint8_t> before;
  before.swap(kept);
  Feed(before.data(), before.size());
}

void TlsSession::RefuseSignature(const std::string& reason) {
  failure = "no signature by the private key that lives elsewhere: " + reason;
  EndJob();
}

void TlsSession::Run() {
  ERR_clear_error();
  if (!done) {
    SigningScope scope(&signing);
    const int result = SSL_do_handshake(ssl);
    done = result == 1;
    if (done) SSL_clear_mode(ssl, SSL_MODE_ASYNC);
    else Fail(result);
  }
  while (done && failure.empty() && ReadRecord()) {
  }
  ERR_clear_error();
}

void TlsSession::Send(const Bytes& bytes) {
  ERR_clear_error();
  for (size_t at = 0; at < bytes.size && failure.empty();) {
    const size_t rest = bytes.size - at;
    const int count =
        SSL_write(ssl, bytes.data + at, static_cast<int>(rest < kMaxRecord ? rest : kMaxRecord));
    if (count > 0) {
      at += static_cast<size_t>(count);
      continue;
    }
    Fail(count);
    if (failure.empty()) failure = "TLS can't write";
  }
  ERR_clear_error();
}

TlsSession* UnwrapSession(napi_env env, const Args& args) { return Unwrap<TlsSession>(env, args.self()); }

// new TlsSession(context): a client's first flight is in output() at once.
napi_value NewSession(napi_env env, napi_callback_info info) {
  Args args(env, info);
  if (!args.Constructing(info)) return nullptr;
  TlsContext* context = Unwrap<TlsContext>(env, args.at(0));
  if (context == nullptr) return nullptr;
  if (context->ssl_ctx == nullptr) return ThrowMisuse(env, "the TLS context was closed");
  ERR_clear_error();
  TlsSession* session = new TlsSession();
  session->ssl = SSL_new(context->ssl_ctx);
  BIO* bio = session->ssl != nullptr && MemoryMethod() != nullptr ? BIO_new(MemoryMethod()) : nullptr;
  if (bio == nullptr || SSL_set_ex_data(session->ssl, TlsSessionIndex(), session) != 1) {
    BIO_free(bio);
    delete session;
    return ThrowCrypto(env, TakeTlsError().c_str());
  }
  BIO_set_data(bio, session);
  BIO_set_init(bio, 1);
  SSL_set_bio(session->ssl, bio, bio);
  SSL_set_quiet_shutdown(session->ssl, 1);
  SSL_set_msg_callback(session->ssl, LookAtMessage);
  SSL_set_msg_callback_arg(session->ssl, session);
  if (context->server) SSL_set_accept_state(session->ssl);
  else SSL_set_connect_state(session->ssl);
  session->Run();
  return Wrap(env, args.self(), session);
}

napi_value CloseSession(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsSession* session = UnwrapSession(env, args);
  if (session != nullptr) session->Close();
  return nullptr;
}

napi_value State(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsSession* session = UnwrapSession(env, args);
  return session == nullptr ? nullptr : MakeInt(env, session->State());
}

// write(ciphertext): bytes from the peer; gives the state.
napi_value Write(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsSession* session = UnwrapSession(env, args);
  Bytes bytes;
  if (session == nullptr || !args.Byte(0, &bytes)) return nullptr;
  if (session->ssl != nullptr && session->failure.empty() && bytes.size > 0) {
    session->Feed(bytes.data, bytes.size);
  }
  return MakeInt(env, session->State());
}

// send(plaintext): one record per call up to 16 KiB, after the handshake; gives the state.
napi_value Send(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsSession* session = UnwrapSession(env, args);
  Bytes bytes;
  if (session == nullptr || !args.Byte(0, &bytes)) return nullptr;
  if (session->ssl != nullptr && session->failure.empty()) {
    if (!session->done) return ThrowMisuse(env, "the TLS handshake is not over");
    session->Send(bytes);
  }
  return MakeInt(env, session->State());
}

napi_value CopyBytes(napi_env env, const uint8_t* data, size_t size) {
  napi_value buffer = nullptr;
  napi_create_buffer_copy(env, size, data, nullptr, &buffer);
  return buffer;
}

// output(): all bytes for the peer, or undefined.
napi_value Output(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsSession* session = UnwrapSession(env, args);
  if (session == nullptr || session->output.empty()) return nullptr;
  napi_value buffer = CopyBytes(env, session->output.data(), session->output.size());
  std::vector<uint8_t>().swap(session->output);
  return buffer;
}

// plaintext(): the next record's, or undefined.
napi_value Plaintext(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsSession* session = UnwrapSession(env, args);
  if (session == nullptr || session->plaintext.empty()) return nullptr;
  std::vector<uint8_t>& chunk = session->plaintext.front();
  napi_value buffer = CopyBytes(env, chunk.data(), chunk.size());
  OPENSSL_cleanse(chunk.data(), chunk.size());
  session->plaintext_bytes -= chunk.size();
  session->plaintext.erase(session->plaintext.begin());
  if (session->plaintext.empty()) std::vector<std::vector<uint8_t>>().swap(session->plaintext);
  return buffer;
}

// signRequest(): what is to be signed as [message, padding, digest, bytes of salt], undefined when nothing
// is.
napi_value SignRequested(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsSession* session = UnwrapSession(env, args);
  napi_value array = nullptr;
  if (session == nullptr || !session->signing.waiting ||
      napi_create_array_with_length(env, 4, &array) != napi_ok) {
    return nullptr;
  }
  const SignRequest& request = session->signing.request;
  napi_set_element(env, array, 0, CopyBytes(env, request.message.data(), request.message.size()));
  napi_set_element(env, array, 1, MakeText(env, request.padding));
  napi_set_element(env, array, 2, MakeText(env, request.digest.c_str()));
  napi_set_element(env, array, 3, MakeInt(env, request.salt));
  return array;
}

// provideSignature(signature): gives the state. Nothing happens when none is waited for.
napi_value ProvideSignature(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsSession* session = UnwrapSession(env, args);
  Bytes signature;
  if (session == nullptr || !args.Byte(0, &signature)) return nullptr;
  if (session->signing.waiting) session->TakeSignature(signature);
  return MakeInt(env, session->State());
}

// refuseSignature(reason): ends the session; gives the state.
napi_value RefuseSignature(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsSession* session = UnwrapSession(env, args);
  std::string reason;
  if (session == nullptr || !args.Text(0, &reason)) return nullptr;
  if (session->signing.waiting) session->RefuseSignature(reason);
  return MakeInt(env, session->State());
}

napi_value Failure(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsSession* session = UnwrapSession(env, args);
  return session == nullptr || session->failure.empty() ? nullptr : MakeText(env, session->failure.c_str());
}

// The DER of a certificate at `index` of `array`; false when OpenSSL can't.
bool AddDer(napi_env env, napi_value array, uint32_t index, X509* cert) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(cert, &der);
  if (size <= 0) return false;
  const bool good =
      napi_set_element(env, array, index, CopyBytes(env, der, static_cast<size_t>(size))) == napi_ok;
  OPENSSL_free(der);
  return good;
}

// chain(): DER of the chain as it was verified, leaf first, up to the authority where one was found.
napi_value Chain(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsSession* session = UnwrapSession(env, args);
  napi_value array = nullptr;
  if (session == nullptr || napi_create_array(env, &array) != napi_ok || session->ssl == nullptr) {
    return array;
  }
  X509* leaf = SSL_get0_peer_certificate(session->ssl);
  if (leaf == nullptr) return array;
  STACK_OF(X509)* chain = SSL_get0_verified_chain(session->ssl);
  const int count = chain == nullptr ? 0 : sk_X509_num(chain);
  ERR_clear_error();
  bool good = count > 0 || AddDer(env, array, 0, leaf);
  for (int i = 0; good && i < count && i < kMaxChain; i++) {
    good = AddDer(env, array, static_cast<uint32_t>(i), sk_X509_value(chain, i));
  }
  ERR_clear_error();
  return good ? array : ThrowCrypto(env, "a certificate of the peer can't be encoded");
}

// OpenSSL's verdict in full: the first problem noted, and nothing that NoteVerification() hasn't seen.
const char* Problem(const TlsSession* session) {
  if (session->problem != X509_V_OK) return X509_verify_cert_error_string(session->problem);
  const long result = SSL_get_verify_result(session->ssl);
  if (result != X509_V_OK) return X509_verify_cert_error_string(result);
  return session->leaf_good ? nullptr : kNotVerified;
}

// problem(): undefined for a good chain or none, else [OpenSSL's text, depth].
napi_value ChainProblem(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsSession* session = UnwrapSession(env, args);
  if (session == nullptr || session->ssl == nullptr || SSL_get0_peer_certificate(session->ssl) == nullptr) {
    return nullptr;
  }
  const char* text = Problem(session);
  napi_value array = nullptr;
  if (text == nullptr || napi_create_array_with_length(env, 2, &array) != napi_ok) return nullptr;
  napi_set_element(env, array, 0, MakeText(env, text));
  napi_set_element(env, array, 1, MakeInt(env, session->problem_depth));
  return array;
}

// exportKey(label, into): RFC 5705 without context; gives whether it could.
napi_value ExportKey(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsSession* session = UnwrapSession(env, args);
  std::string label;
  Bytes into;
  if (session == nullptr || !args.Text(0, &label) || !args.Byte(1, &into)) return nullptr;
  if (into.size == 0 || into.size > kMaxExport) {
    return ThrowMisuse(env, "the length of the export is out of range");
  }
  ERR_clear_error();
  const bool good = session->ssl != nullptr && session->done &&
                    SSL_export_keying_material(session->ssl, into.data, into.size, label.data(), label.size(),
                                               nullptr, 0, 0) == 1;
  ERR_clear_error();
  return MakeBool(env, good);
}

// `2048 bits RSA`, `256 bits ECprime256v1`.
std::string KeyText(const EVP_PKEY* key) {
  const char* type = EVP_PKEY_get0_type_name(key);
  std::string text =
      std::to_string(EVP_PKEY_get_bits(key)) + " bits " + (type ? type : "(error getting public key type)");
  if (EVP_PKEY_is_a(key, "EC")) {
    char group[80];
    size_t size;
    text +=
        EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 ? group : "(error getting curve name)";
  }
  return text;
}

std::string Details(SSL* ssl) {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl);
  std::string text = SSL_get_version(ssl);
  text += std::string(", cipher ") + SSL_CIPHER_get_version(cipher) + " " + SSL_CIPHER_get_name(cipher);
  if (const X509* cert = SSL_get0_peer_certificate(ssl)) {
    const EVP_PKEY* key = X509_get0_pubkey(cert);
    text += ", peer certificate: " + (key ? KeyText(key) : std::string());
    const int signature = X509_get_signature_nid(cert);
    if (signature != NID_undef) text += std::string(", signature: ") + OBJ_nid2sn(signature);
  }
  EVP_PKEY* temporary = nullptr;
  if (SSL_get_peer_tmp_key(ssl, &temporary) == 1 && temporary != nullptr) {
    text += ", peer temporary key: " + KeyText(temporary);
  }
  EVP_PKEY_free(temporary);
  return text;
}

// describe(): 2.x's tail of the line "Control Channel: ", '' before the end of the handshake.
napi_value Describe(napi_env env, napi_callback_info info) {
  Args args(env, info);
  TlsSession* session = UnwrapSession(env, args);
  if (session == nullptr) return nullptr;
  ERR_clear_error();
  const std::string text = session->ssl != nullptr && session->done ? Details(session->ssl) : std::string();
  ERR_clear_error();
  return MakeText(env, text.c_str());
}

}  // namespace

int TlsSessionIndex() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

int NoteVerification(int ok, X509_STORE_CTX* store) {
  SSL* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  TlsSession* session =
      ssl == nullptr ? nullptr : static_cast<TlsSession*>(SSL_get_ex_data(ssl, TlsSessionIndex()));
  if (session == nullptr) return 0;
  const int depth = X509_STORE_CTX_get_error_depth(store);
  const int error = X509_STORE_CTX_get_error(store);
  if (ok == 1) {
    if (depth == 0) session->leaf_good = true;
    return 1;
  }
  if (session->problem == X509_V_OK) {
    session->problem = error == X509_V_OK ? X509_V_ERR_APPLICATION_VERIFICATION : error;
    session->problem_depth = depth < 0 ? 0 : depth;
  }
  return 0;
}

// Verifies as far as the first problem: what comes after it changes no verdict, and a chain of a stranger's
// may have dozens of signatures by keys of his choice. The handshake goes on all the same.
int VerifyChain(X509_STORE_CTX* store, void*) {
  X509_verify_cert(store);
  return 1;
}

bool InitTlsSession(napi_env env, napi_value exports) {
  const Method methods[] = {
      {"write", Write},
      {"send", Send},
      {"output", Output},
      {"plaintext", Plaintext},
      {"failure", Failure},
      {"chain", Chain},
      {"problem", ChainProblem},
      {"exportKey", ExportKey},
      {"describe", Describe},
      {"close", CloseSession},
      {"signRequest", SignRequested},
      {"provideSignature", ProvideSignature},
      {"refuseSignature", RefuseSignature},
  };
  const Method getters[] = {{"state", State}};
  return DefineClass(env, exports, "TlsSession", NewSession, methods, getters);
}

}  // namespace ovpn
