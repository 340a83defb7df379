// Reading of handshake messages (RFC 8446, 5246) and certificates (RFC 5280) as far as their cost goes. See
// tls_screen.h. Nothing is kept of a message, every length is checked against what is left of its parent.
#include "tls_screen.h"

#include <cstring>

namespace ovpn {
namespace {

constexpr uint8_t kClientHello = 1, kCertificate = 11, kServerKeyExchange = 12;
constexpr int kTls13 = 0x0304;
constexpr size_t kRandomBytes = 32;
constexpr uint16_t kKeyShare = 51;

// All limits are ours.
// Half as many again as 2.x's MAX_CERT_DEPTH lets into a chain. Each takes OpenSSL 0.3 ms and less.
constexpr int kMaxCertificates = 24;
// The same as in src/ssl/x509-der.ts.
constexpr size_t kMaxNameBytes = 16 * 1024;
constexpr int kMaxExtensions = 128;
// So many times longer than others takes a key whose point is compressed, where its curve makes square roots
// slow.
constexpr int kCompressedPoint = 4;
// DSA, the only kind of key with a prime among its parameters that signs: 4096 bits and a sign byte.
constexpr size_t kMaxPrimeBytes = 513;
// RSA: 64 bits and a sign byte, as OpenSSL itself demands of the longer keys.
constexpr size_t kMaxExponentBytes = 9;
// OpenSSL copies the issuer's name for each distribution point that is named relative to it.
constexpr size_t kMaxCopiedBytes = 16 * 1024;
// A hello has one for each kind of group at most; OpenSSL looks each up in the list of groups.
constexpr int kMaxKeyShares = 64;
// Bits 8192: a client's work grows with the cube of it.
constexpr size_t kMaxDhBytes = 1024;

constexpr char kUnreadable[] = "the peer's certificates can't be read";
constexpr char kTooMany[] = "the peer sent too many certificates";
constexpr char kExplicitCurve[] = "a certificate of the peer's spells its curve out";
constexpr char kCostlyKey[] = "a certificate of the peer's has a key that takes too long to use";
constexpr char kLongName[] = "a certificate of the peer's has a name that is too long";
constexpr char kManyExtensions[] = "a certificate of the peer's has too many extensions";
constexpr char kCostlyPoints[] = "a certificate of the peer's has too many relative CRL distribution points";

constexpr uint8_t kInteger = 0x02, kBitString = 0x03, kOctetString = 0x04, kOid = 0x06, kSequence = 0x30;
constexpr uint8_t kVersion = 0xa0, kExtensions = 0xa3;
// Of a distribution point: its name, and the form of that which is relative.
constexpr uint8_t kPointName = 0xa0, kRelativeName = 0xa1;
constexpr uint8_t kDistributionPoints[] = {0x55, 0x1d, 0x1f};

// What is left to read. A reader that fails leaves it as it was.
struct Span {
  const uint8_t* data = nullptr;
  size_t size = 0;

  bool Cut(size_t count, Span* part) {
    if (count > size) return false;
    *part = {data, count};
    data += count;
    size -= count;
    return true;
  }

  // A number of `bytes` bytes, big-endian.
  bool Number(size_t bytes, size_t* value) {
    Span digits;
    if (!Cut(bytes, &digits)) return false;
    *value = 0;
    for (size_t i = 0; i < bytes; i++) *value = *value << 8 | digits.data[i];
    return true;
  }

  // TLS: a length of `bytes` bytes, and as many behind it.
  bool Vector(size_t bytes, Span* content) {
    Span rest = *this;
    size_t length;
    if (!rest.Number(bytes, &length) || !rest.Cut(length, content)) return false;
    *this = rest;
    return true;
  }

  // DER: an element with a single-byte tag and a definite length.
  bool Element(uint8_t* tag, Span* content) {
    Span rest = *this;
    size_t kind, length;
    if (!rest.Number(1, &kind) || (kind & 0x1f) == 0x1f || !rest.Number(1, &length)) return false;
    if (length >= 0x80) {
      const size_t digits = length & 0x7f;
      if (digits == 0 || digits > sizeof(uint32_t) || !rest.Number(digits, &length)) return false;
    }
    if (!rest.Cut(length, content)) return false;
    *tag = static_cast<uint8_t>(kind);
    *this = rest;
    return true;
  }

  bool Expect(uint8_t wanted, Span* content) {
    Span rest = *this;
    uint8_t tag;
    if (!rest.Element(&tag, content) || tag != wanted) return false;
    *this = rest;
    return true;
  }
};

// What the certificates of one message cost together.
struct Costs {
  int certificates = 0;
  size_t copied_bytes = 0;
};

// Parameters of a key's algorithm: a curve's name, or numbers. Curves that are spelled out choose how long a
// square root takes in their field; their second part is the field, which numbers never are.
const char* LookAtParameters(Span parameters) {
  Span first, second;
  uint8_t tag;
  if (!parameters.Element(&tag, &first)) return nullptr;
  if (tag == kInteger && first.size > kMaxPrimeBytes) return kCostlyKey;
  return parameters.Element(&tag, &second) && tag == kSequence ? kExplicitCurve : nullptr;
}

bool HasLongExponent(Span key) {
  Span numbers, modulus, exponent;
  return key.Expect(kSequence, &numbers) && key.size == 0 && numbers.Expect(kInteger, &modulus) &&
         numbers.Expect(kInteger, &exponent) && numbers.size == 0 && exponent.size > kMaxExponentBytes;
}

const char* LookAtKey(Span info, Costs* costs) {
  Span algorithm, oid, parameters, key, unused;
  uint8_t tag = 0;
  if (!info.Expect(kSequence, &algorithm) || !algorithm.Expect(kOid, &oid) ||
      !info.Expect(kBitString, &key) || !key.Cut(1, &unused)) {
    return kUnreadable;
  }
  if (algorithm.size > 0 && !algorithm.Element(&tag, &parameters)) return kUnreadable;
  if (HasLongExponent(key)) return kCostlyKey;
  if (tag == kSequence) return LookAtParameters(parameters);
  const bool compressed = tag == kOid && key.size > 0 && (key.data[0] == 2 || key.data[0] == 3);
  costs->certificates += compressed ? kCompressedPoint - 1 : 0;
  return nullptr;
}

const char* LookAtPoints(Span value, size_t issuer_bytes, Costs* costs) {
  Span points;
  if (!value.Expect(kSequence, &points)) return kUnreadable;
  while (points.size > 0) {
    Span point, part, name;
    uint8_t tag;
    if (!points.Expect(kSequence, &point)) return kUnreadable;
    if (point.size == 0) continue;
    if (!point.Element(&tag, &part)) return kUnreadable;
    if (tag != kPointName) continue;
    if (!part.Element(&tag, &name)) return kUnreadable;
    if (tag != kRelativeName) continue;
    costs->copied_bytes += issuer_bytes + name.size;
    if (costs->copied_bytes > kMaxCopiedBytes) return kCostlyPoints;
  }
  return nullptr;
}

const char* LookAtExtensions(Span wrapper, size_t issuer_bytes, Costs* costs) {
  Span extensions;
  if (!wrapper.Expect(kSequence, &extensions)) return kUnreadable;
  for (int count = 1; extensions.size > 0; count++) {
    Span extension, oid, value;
    uint8_t tag = 0;
    if (count > kMaxExtensions) return kManyExtensions;
    if (!extensions.Expect(kSequence, &extension) || !extension.Expect(kOid, &oid)) return kUnreadable;
    while (extension.size > 0) {
      if (!extension.Element(&tag, &value)) return kUnreadable;
    }
    if (tag != kOctetString) return kUnreadable;
    if (oid.size != sizeof kDistributionPoints || memcmp(oid.data, kDistributionPoints, oid.size) != 0) {
      continue;
    }
    if (const char* refusal = LookAtPoints(value, issuer_bytes, costs)) return refusal;
  }
  return nullptr;
}

const char* LookAtCertificate(Span der, Costs* costs) {
  if (++costs->certificates > kMaxCertificates) return kTooMany;
  Span certificate, body, version, serial, algorithm, issuer, validity, subject, key;
  if (!der.Expect(kSequence, &certificate) || !certificate.Expect(kSequence, &body)) return kUnreadable;
  body.Expect(kVersion, &version);
  if (!body.Expect(kInteger, &serial) || !body.Expect(kSequence, &algorithm) ||
      !body.Expect(kSequence, &issuer) || !body.Expect(kSequence, &validity) ||
      !body.Expect(kSequence, &subject) || !body.Expect(kSequence, &key)) {
    return kUnreadable;
  }
  if (issuer.size > kMaxNameBytes || subject.size > kMaxNameBytes) return kLongName;
  if (const char* refusal = LookAtKey(key, costs)) return refusal;
  if (costs->certificates > kMaxCertificates) return kTooMany;
  while (body.size > 0) {
    Span part;
    uint8_t tag;
    if (!body.Element(&tag, &part)) return kUnreadable;
    if (tag != kExtensions) continue;
    if (const char* refusal = LookAtExtensions(part, issuer.size, costs)) return refusal;
  }
  return nullptr;
}

const char* LookAtCertificates(Span body, int version) {
  Span context, list;
  if ((version == kTls13 && !body.Vector(1, &context)) || !body.Vector(3, &list)) return kUnreadable;
  Costs costs;
  while (list.size > 0) {
    Span der, extensions;
    if (!list.Vector(3, &der) || (version == kTls13 && !list.Vector(2, &extensions))) return kUnreadable;
    if (const char* refusal = LookAtCertificate(der, &costs)) return refusal;
  }
  return nullptr;
}

// A malformed one is OpenSSL's to refuse: it costs nothing.
const char* LookAtHello(Span body) {
  Span part, extensions, shares;
  size_t type;
  if (!body.Cut(2 + kRandomBytes, &part) || !body.Vector(1, &part) || !body.Vector(2, &part) ||
      !body.Vector(1, &part) || !body.Vector(2, &extensions)) {
    return nullptr;
  }
  while (extensions.Number(2, &type) && extensions.Vector(2, &part)) {
    if (type != kKeyShare || !part.Vector(2, &shares)) continue;
    for (int count = 1; shares.Number(2, &type) && shares.Vector(2, &part); count++) {
      if (count > kMaxKeyShares) return "the peer sent too many key shares";
    }
  }
  return nullptr;
}

const char* LookAtPrime(Span body) {
  Span prime;
  return body.Vector(2, &prime) && prime.size > kMaxDhBytes
             ? "the peer's Diffie-Hellman parameters are too long"
             : nullptr;
}

}  // namespace

const char* Screen::Look(const uint8_t* message, size_t size, int version, bool dhe) {
  Span body{message, size}, header;
  if (!body.Cut(4, &header)) return nullptr;
  if (header.data[0] == kClientHello) return LookAtHello(body);
  if (header.data[0] == kCertificate) return LookAtCertificates(body, version);
  return header.data[0] == kServerKeyExchange && dhe ? LookAtPrime(body) : nullptr;
}

}  // namespace ovpn
