/**
 * Option rows for TLS, certificates and control channel keys (2.x options.c add_option(), manual section "tls").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */

import {
  applyTlsAuth,
  applyVerifyHash,
  failExclusiveHash,
  parseFingerprints,
  parseKeyDirection,
  parseTlsVersion,
  SHA256_BYTES,
  usernameField,
} from './apply-tls.ts';
import {
  count,
  fileOrInline,
  flag,
  MANY,
  material,
  type OptionRow,
  positiveAtoi,
  text,
} from './option-row.ts';

export const tlsOptions: readonly OptionRow[] = [
  {
    name: 'askpass',
    min: 0,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: '[FILE]',
    help: 'Passphrase for the private key from file or prompt',
    apply: ([file = 'prompt'], options) => {
      options.askpass = file;
    },
  },
  {
    name: 'auth-nocache',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Do not keep passwords in memory',
    apply: flag('authNocache'),
  },
  {
    name: 'ca',
    min: 1,
    max: 1,
    contexts: 'GI',
    supported: 'yes',
    usage: 'FILE',
    help: 'Trusted CA certificates',
    apply: material('ca'),
  },
  {
    name: 'capath',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'DIR',
    help: 'Directory of hashed CA certs and CRLs',
    apply: text('capath'),
  },
  {
    name: 'cert',
    min: 1,
    max: 1,
    contexts: 'GI',
    supported: 'yes',
    usage: 'FILE',
    help: 'Own certificate; 2.7 file or URI',
    apply: material('cert'),
  },
  {
    name: 'crl-verify',
    min: 1,
    max: 2,
    contexts: 'GI',
    supported: 'yes',
    usage: "FILE ['dir']",
    help: 'CRL file, or directory of serials with dir',
    apply: ([file = '', word], options, context) => {
      if (word !== undefined && word !== 'dir') return context.unrecognized();
      if (word === 'dir') options.crlVerifyDir = true;
      options.crlVerify = fileOrInline(file, context.inline);
    },
  },
  {
    name: 'dh',
    min: 1,
    max: 1,
    contexts: 'GI',
    supported: 'yes',
    usage: 'FILE',
    help: 'DH parameters or none (server)',
    apply: ([value = ''], options, context) => {
      options.dh = value === 'none' ? 'none' : fileOrInline(value, context.inline);
    },
  },
  {
    name: 'disable-occ',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Do not send/verify option-consistency strings',
    apply: flag('occ', false),
  },
  {
    name: 'ecdh-curve',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'CURVE',
    help: 'Ignored with a warning: curves are those of tls-groups',
    apply: ([curve = ''], options, context) => {
      context.warn(
        'Consider setting groups/curves preference with tls-groups instead of forcing a specific curve with ecdh-curve.',
      );
      options.ecdhCurve = curve;
    },
  },
  {
    name: 'engine',
    min: 0,
    max: 1,
    contexts: 'G',
    supported: 'not-yet',
    usage: '[NAME]',
    help: 'Use an OpenSSL engine',
  },
  {
    name: 'extra-certs',
    min: 1,
    max: 1,
    contexts: 'GI',
    supported: 'yes',
    usage: 'FILE',
    help: 'Additional chain certificates',
    apply: material('extraCerts'),
  },
  {
    name: 'force-tls-key-material-export',
    min: 0,
    max: MANY,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Server: refuse clients without exporter support',
    apply: flag('forceTlsKeyMaterialExport'),
  },
  {
    name: 'hand-window',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'SECONDS',
    help: 'TLS handshake must finish within n s',
    apply: count('handWindow'),
  },
  {
    name: 'key',
    min: 1,
    max: 1,
    contexts: 'GI',
    supported: 'yes',
    usage: 'FILE',
    help: 'Own private key; 2.7 file or URI',
    apply: material('key'),
  },
  {
    name: 'key-direction',
    min: 1,
    max: 1,
    contexts: 'GC',
    supported: 'yes',
    usage: 'DIRECTION',
    help: 'Key direction 0/1 for inline tls-auth/secret',
    apply: ([value = ''], options, context) => {
      const direction = parseKeyDirection(value, context);
      if (context.context === 'C') options.ce.keyDirection = direction;
      else options.keyDirection = direction;
    },
  },
  {
    name: 'keying-material-exporter',
    min: 2,
    max: MANY,
    contexts: 'G',
    supported: 'not-yet',
    usage: 'LABEL LENGTH',
    help: 'Export keying material: label EXPORTER..., length 16..4095',
  },
  {
    name: 'ns-cert-type',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'client|server',
    help: 'Check Netscape cert type',
    apply: ([role = ''], options, context) => {
      if (role !== 'client' && role !== 'server')
        return context.fail("--ns-cert-type must be 'client' or 'server'");
      options.nsCertType = role;
    },
  },
  {
    name: 'peer-fingerprint',
    min: 1,
    max: 1,
    contexts: 'GI',
    supported: 'yes',
    usage: 'SHA256',
    help: 'Accept only leaf certs with these SHA256 fingerprints',
    apply: ([hashes = ''], options, context) => {
      if (options.verifyHash !== undefined) failExclusiveHash(context);
      const more = parseFingerprints(hashes, SHA256_BYTES, context);
      // None at all verifies nobody, and can't stand for a CA.
      if (more.length > 0) options.peerFingerprints = [...(options.peerFingerprints ?? []), ...more];
    },
  },
  {
    name: 'persist-key',
    min: 0,
    max: 0,
    contexts: 'GP',
    supported: 'yes',
    usage: '',
    help: 'Keep key files in memory across restarts',
    imports: 'persist',
    apply: flag('persistKey'),
  },
  {
    name: 'pkcs12',
    min: 1,
    max: 1,
    contexts: 'GI',
    supported: 'yes',
    usage: 'FILE',
    help: 'PKCS#12 bundle with CA, cert, key',
    apply: material('pkcs12'),
  },
  {
    name: 'providers',
    min: 1,
    max: MANY,
    contexts: 'N',
    supported: 'yes',
    usage: 'NAME...',
    help: 'Load OpenSSL providers',
    // As in 2.x, a second line overwrites the first one name by name.
    apply: (names, { providers }) => {
      for (const [i, name] of names.entries()) providers[i] = name;
    },
  },
  {
    name: 'remote-cert-eku',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'NAME',
    help: 'Required extended key usage name/OID',
    apply: text('remoteCertEku'),
  },
  {
    name: 'remote-cert-ku',
    min: 0,
    max: MANY,
    contexts: 'G',
    supported: 'yes',
    usage: '[MASK...]',
    help: 'Required key usage bits (hex list)',
    apply: (values, options) => {
      options.remoteCertKu = values.map((mask) => Number.parseInt(mask, 16) || 0);
    },
  },
  {
    name: 'remote-cert-tls',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'client|server',
    help: 'Shortcut for KU+EKU server/client',
    apply: ([role = ''], options, context) => {
      if (role !== 'client' && role !== 'server') {
        return context.fail("--remote-cert-tls must be 'client' or 'server'");
      }
      options.remoteCertKu = [];
      options.remoteCertEku = `TLS Web ${role === 'server' ? 'Server' : 'Client'} Authentication`;
    },
  },
  {
    name: 'reneg-bytes',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'N',
    help: 'Renegotiate after n bytes',
    apply: count('renegBytes'),
  },
  {
    name: 'reneg-pkts',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'N',
    help: 'Renegotiate after n packets',
    apply: count('renegPkts'),
  },
  {
    name: 'reneg-sec',
    min: 1,
    max: 2,
    contexts: 'G',
    supported: 'yes',
    usage: 'SECONDS [MIN]',
    help: 'Renegotiate after max [min] seconds; 0 off; server jitters 10%',
    apply: ([seconds = '', min], options) => {
      options.renegSec = positiveAtoi(seconds);
      if (min !== undefined) options.renegSecMin = positiveAtoi(min);
    },
  },
  {
    name: 'single-session',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Only one session, then exit',
    apply: flag('singleSession'),
  },
  {
    name: 'tls-auth',
    min: 1,
    max: 2,
    contexts: 'GCI',
    supported: 'yes',
    usage: 'FILE [DIRECTION]',
    help: 'HMAC key for control channel, optional direction',
    apply: applyTlsAuth,
  },
  {
    name: 'tls-cert-profile',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'PROFILE',
    help: 'Certificate strength insecure, legacy, preferred, suiteb',
    apply: ([profile = ''], options, context) => {
      const known = (['insecure', 'legacy', 'preferred', 'suiteb'] as const).find((name) => name === profile);
      if (known === undefined) return context.fatal(`ERROR: Invalid cert profile: ${profile}`);
      options.tlsCertProfile = known;
    },
  },
  {
    name: 'tls-cipher',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'LIST',
    help: 'TLS<=1.2 cipher list',
    apply: text('tlsCipher'),
  },
  {
    name: 'tls-ciphersuites',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'LIST',
    help: 'TLS 1.3 suites',
    apply: text('tlsCiphersuites'),
  },
  {
    name: 'tls-client',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'TLS client role',
    apply: flag('tlsClient'),
  },
  {
    name: 'tls-crypt',
    min: 1,
    max: 2,
    contexts: 'GCI',
    supported: 'yes',
    usage: 'FILE',
    help: 'Encrypt control channel with shared key',
    apply: ([value = ''], options, context) => {
      const key = fileOrInline(value, context.inline);
      if (context.context === 'C') options.ce.tlsCrypt = key;
      else options.tlsCrypt = key;
    },
  },
  {
    name: 'tls-crypt-v2',
    min: 1,
    max: 2,
    contexts: 'GCI',
    supported: 'yes',
    usage: 'FILE [force-cookie|allow-noncookie]',
    help: 'Per-client control channel key; server flag force-cookie/allow-noncookie',
    apply: ([value = '', word], options, context) => {
      const key = fileOrInline(value, context.inline);
      if (context.context === 'C') options.ce.tlsCryptV2 = key;
      else options.tlsCryptV2 = key;
      if (word === 'force-cookie') options.ce.tlsCryptV2ForceCookie = true;
      else if (word === 'allow-noncookie') options.ce.tlsCryptV2ForceCookie = false;
      else if (word !== undefined) context.error(`Unsupported tls-crypt-v2 argument: ${word}`);
    },
  },
  {
    name: 'tls-crypt-v2-max-age',
    min: 1,
    max: MANY,
    contexts: 'G',
    supported: 'yes',
    usage: 'DAYS',
    help: 'Reject client keys older than n days',
    apply: ([value = ''], options, context) => {
      const name = 'tls-crypt-v2-max-age';
      if (!/^[+-]?\d{1,10}$/.test(value) || Math.abs(Number(value)) > 0x7fff_ffff)
        return context.error(`${name}: Cannot parse '${value}' as integer`);
      if (Number(value) < 1) return context.error(`${name}: Must be an integer >= 1, not ${Number(value)}`);
      options.tlsCryptV2MaxAge = Number(value);
    },
  },
  {
    name: 'tls-exit',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'Exit on TLS negotiation failure',
    apply: flag('tlsExit'),
  },
  {
    name: 'tls-groups',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'LIST',
    help: 'TLS groups in order',
    apply: text('tlsGroups'),
  },
  {
    name: 'tls-server',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'yes',
    usage: '',
    help: 'TLS server role',
    apply: flag('tlsServer'),
  },
  {
    name: 'tls-timeout',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'SECONDS',
    help: 'Control packet retransmit base in seconds',
    apply: count('tlsTimeout'),
  },
  {
    name: 'tls-version-max',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'VERSION',
    help: 'Maximum TLS version',
    apply: ([value = ''], options, context) => {
      const version = parseTlsVersion(value);
      if (version === undefined) return context.fail(`unknown tls-version-max parameter: ${value}`);
      options.tlsVersionMax = version;
    },
  },
  {
    name: 'tls-version-min',
    min: 1,
    max: 2,
    contexts: 'G',
    supported: 'yes',
    usage: 'VERSION [or-highest]',
    help: 'Minimum TLS version; or-highest',
    apply: ([value = '', word], options, context) => {
      const version = parseTlsVersion(value) ?? (word === 'or-highest' ? '1.3' : undefined);
      if (version === undefined) return context.fail(`unknown tls-version-min parameter: ${value}`);
      options.tlsVersionMin = version;
      options.tlsVersionMinOrHighest = word === 'or-highest';
    },
  },
  {
    name: 'tran-window',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'SECONDS',
    help: 'Old key lifetime after renegotiation',
    apply: count('tranWindow'),
  },
  {
    name: 'use-prediction-resistance',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'rejected',
    usage: '',
    help: 'mbedTLS RNG option',
  },
  {
    name: 'verify-hash',
    min: 1,
    max: 2,
    contexts: 'GI',
    supported: 'yes',
    usage: 'HASH [ALGORITHM]',
    help: 'Pin level-1 CA hash (SHA1 or SHA256)',
    apply: applyVerifyHash,
  },
  {
    name: 'verify-x509-name',
    min: 1,
    max: 2,
    contexts: 'G',
    supported: 'yes',
    usage: 'NAME [TYPE]',
    help: 'Require peer subject, name or name-prefix',
    apply: ([name = '', type = 'subject'], options, context) => {
      if (name === '') return context.unrecognized();
      if (type !== 'subject' && type !== 'name' && type !== 'name-prefix') {
        return context.fail(`unknown X.509 name type: ${type}`);
      }
      options.verifyX509Name = { name, type };
    },
  },
  {
    name: 'x509-track',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'yes',
    usage: 'ATTRIBUTE',
    help: 'Export cert attribute to environment; +attr for whole chain',
    apply: ([value = ''], options) => {
      const chain = value.startsWith('+');
      options.x509Track = [{ name: chain ? value.slice(1) : value, chain }, ...(options.x509Track ?? [])];
    },
  },
  {
    name: 'x509-username-field',
    min: 1,
    max: MANY,
    contexts: 'G',
    supported: 'yes',
    usage: 'FIELD...',
    help: 'Cert field(s) used as common name; ext:NAME',
    apply: (values, options, context) => {
      options.x509UsernameField = values.map((field) => usernameField(field, context));
    },
  },
];
