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
  notYet,
  type OptionRow,
  positiveAtoi,
  rejected,
  row,
  text,
} from './option-row.ts';

export const tlsOptions: readonly OptionRow[] = [
  row('askpass [FILE]', 0, 1, 'G', {
    help: 'Passphrase for the private key from file or prompt',
    apply: ([file = 'prompt'], options) => {
      options.askpass = file;
    },
  }),
  row('auth-nocache', 0, 0, 'G', 'Do not keep passwords in memory', flag('authNocache')),
  row('ca FILE', 1, 1, 'GI', 'Trusted CA certificates', material('ca')),
  row('capath DIR', 1, 1, 'G', 'Directory of hashed CA certs and CRLs', text('capath')),
  row('cert FILE', 1, 1, 'GI', 'Own certificate; 2.7 file or URI', material('cert')),
  row("crl-verify FILE ['dir']", 1, 2, 'GI', {
    help: 'CRL file, or directory of serials with dir',
    apply: ([file = '', word], options, context) => {
      if (word !== undefined && word !== 'dir') return context.unrecognized();
      if (word === 'dir') options.crlVerifyDir = true;
      options.crlVerify = fileOrInline(file, context.inline);
    },
  }),
  row('dh FILE', 1, 1, 'GI', 'DH parameters or none (server)', ([value = ''], options, context) => {
    options.dh = value === 'none' ? 'none' : fileOrInline(value, context.inline);
  }),
  row('disable-occ', 0, 0, 'G', 'Do not send/verify option-consistency strings', flag('occ', false)),
  row('ecdh-curve CURVE', 1, 1, 'G', {
    help: 'Ignored with a warning: curves are those of tls-groups',
    apply: ([curve = ''], options, context) => {
      context.warn(
        'Consider setting groups/curves preference with tls-groups instead of forcing a specific curve with ecdh-curve.',
      );
      options.ecdhCurve = curve;
    },
  }),
  notYet('engine [NAME]', 0, 1, 'G', 'Use an OpenSSL engine'),
  row('extra-certs FILE', 1, 1, 'GI', 'Additional chain certificates', material('extraCerts')),
  row('force-tls-key-material-export', 0, MANY, 'G', {
    help: 'Server: refuse clients without exporter support',
    apply: flag('forceTlsKeyMaterialExport'),
  }),
  row('hand-window SECONDS', 1, 1, 'G', 'TLS handshake must finish within n s', count('handWindow')),
  row('key FILE', 1, 1, 'GI', 'Own private key; 2.7 file or URI', material('key')),
  row('key-direction DIRECTION', 1, 1, 'GC', {
    help: 'Key direction 0/1 for inline tls-auth/secret',
    apply: ([value = ''], options, context) => {
      const direction = parseKeyDirection(value, context);
      if (context.context === 'C') options.ce.keyDirection = direction;
      else options.keyDirection = direction;
    },
  }),
  notYet('keying-material-exporter LABEL LENGTH', 2, MANY, 'G', {
    help: 'Export keying material: label EXPORTER..., length 16..4095',
  }),
  row('ns-cert-type client|server', 1, 1, 'G', {
    help: 'Check Netscape cert type',
    apply: ([role = ''], options, context) => {
      if (role !== 'client' && role !== 'server')
        return context.fail("--ns-cert-type must be 'client' or 'server'");
      options.nsCertType = role;
    },
  }),
  row('peer-fingerprint SHA256', 1, 1, 'GI', {
    help: 'Accept only leaf certs with these SHA256 fingerprints',
    apply: ([hashes = ''], options, context) => {
      if (options.verifyHash !== undefined) failExclusiveHash(context);
      const more = parseFingerprints(hashes, SHA256_BYTES, context);
      // None at all verifies nobody, and can't stand for a CA.
      if (more.length > 0) options.peerFingerprints = [...(options.peerFingerprints ?? []), ...more];
    },
  }),
  row('persist-key', 0, 0, 'GP', 'Keep key files in memory across restarts', flag('persistKey'), 'persist'),
  row('pkcs12 FILE', 1, 1, 'GI', 'PKCS#12 bundle with CA, cert, key', material('pkcs12')),
  row('providers NAME...', 1, MANY, 'N', {
    help: 'Load OpenSSL providers',
    // As in 2.x, a second line overwrites the first one name by name.
    apply: (names, { providers }) => {
      for (const [i, name] of names.entries()) providers[i] = name;
    },
  }),
  row('remote-cert-eku NAME', 1, 1, 'G', 'Required extended key usage name/OID', text('remoteCertEku')),
  row('remote-cert-ku [MASK...]', 0, MANY, 'G', 'Required key usage bits (hex list)', (values, options) => {
    options.remoteCertKu = values.map((mask) => Number.parseInt(mask, 16) || 0);
  }),
  row('remote-cert-tls client|server', 1, 1, 'G', {
    help: 'Shortcut for KU+EKU server/client',
    apply: ([role = ''], options, context) => {
      if (role !== 'client' && role !== 'server') {
        return context.fail("--remote-cert-tls must be 'client' or 'server'");
      }
      options.remoteCertKu = [];
      options.remoteCertEku = `TLS Web ${role === 'server' ? 'Server' : 'Client'} Authentication`;
    },
  }),
  row('reneg-bytes N', 1, 1, 'G', 'Renegotiate after n bytes', count('renegBytes')),
  row('reneg-pkts N', 1, 1, 'G', 'Renegotiate after n packets', count('renegPkts')),
  row('reneg-sec SECONDS [MIN]', 1, 2, 'G', {
    help: 'Renegotiate after max [min] seconds; 0 off; server jitters 10%',
    apply: ([seconds = '', min], options) => {
      options.renegSec = positiveAtoi(seconds);
      if (min !== undefined) options.renegSecMin = positiveAtoi(min);
    },
  }),
  row('single-session', 0, 0, 'G', 'Only one session, then exit', flag('singleSession')),
  row('tls-auth FILE [DIRECTION]', 1, 2, 'GCI', {
    help: 'HMAC key for control channel, optional direction',
    apply: applyTlsAuth,
  }),
  row('tls-cert-profile PROFILE', 1, 1, 'G', {
    help: 'Certificate strength insecure, legacy, preferred, suiteb',
    apply: ([profile = ''], options, context) => {
      const known = (['insecure', 'legacy', 'preferred', 'suiteb'] as const).find((name) => name === profile);
      if (known === undefined) return context.fatal(`ERROR: Invalid cert profile: ${profile}`);
      options.tlsCertProfile = known;
    },
  }),
  row('tls-cipher LIST', 1, 1, 'G', 'TLS<=1.2 cipher list', text('tlsCipher')),
  row('tls-ciphersuites LIST', 1, 1, 'G', 'TLS 1.3 suites', text('tlsCiphersuites')),
  row('tls-client', 0, 0, 'G', 'TLS client role', flag('tlsClient')),
  row('tls-crypt FILE', 1, 2, 'GCI', {
    help: 'Encrypt control channel with shared key',
    apply: ([value = ''], options, context) => {
      const key = fileOrInline(value, context.inline);
      if (context.context === 'C') options.ce.tlsCrypt = key;
      else options.tlsCrypt = key;
    },
  }),
  row('tls-crypt-v2 FILE [force-cookie|allow-noncookie]', 1, 2, 'GCI', {
    help: 'Per-client control channel key; server flag force-cookie/allow-noncookie',
    apply: ([value = '', word], options, context) => {
      const key = fileOrInline(value, context.inline);
      if (context.context === 'C') options.ce.tlsCryptV2 = key;
      else options.tlsCryptV2 = key;
      if (word === 'force-cookie') options.ce.tlsCryptV2ForceCookie = true;
      else if (word === 'allow-noncookie') options.ce.tlsCryptV2ForceCookie = false;
      else if (word !== undefined) context.error(`Unsupported tls-crypt-v2 argument: ${word}`);
    },
  }),
  row('tls-crypt-v2-max-age DAYS', 1, MANY, 'G', {
    help: 'Reject client keys older than n days',
    apply: ([value = ''], options, context) => {
      const name = 'tls-crypt-v2-max-age';
      if (!/^[+-]?\d{1,10}$/.test(value) || Math.abs(Number(value)) > 0x7fff_ffff)
        return context.error(`${name}: Cannot parse '${value}' as integer`);
      if (Number(value) < 1) return context.error(`${name}: Must be an integer >= 1, not ${Number(value)}`);
      options.tlsCryptV2MaxAge = Number(value);
    },
  }),
  row('tls-exit', 0, 0, 'G', 'Exit on TLS negotiation failure', flag('tlsExit')),
  row('tls-groups LIST', 1, 1, 'G', 'TLS groups in order', text('tlsGroups')),
  row('tls-server', 0, 0, 'G', 'TLS server role', flag('tlsServer')),
  row('tls-timeout SECONDS', 1, 1, 'G', 'Control packet retransmit base in seconds', count('tlsTimeout')),
  row('tls-version-max VERSION', 1, 1, 'G', 'Maximum TLS version', ([value = ''], options, context) => {
    const version = parseTlsVersion(value);
    if (version === undefined) return context.fail(`unknown tls-version-max parameter: ${value}`);
    options.tlsVersionMax = version;
  }),
  row('tls-version-min VERSION [or-highest]', 1, 2, 'G', {
    help: 'Minimum TLS version; or-highest',
    apply: ([value = '', word], options, context) => {
      const version = parseTlsVersion(value) ?? (word === 'or-highest' ? '1.3' : undefined);
      if (version === undefined) return context.fail(`unknown tls-version-min parameter: ${value}`);
      options.tlsVersionMin = version;
      options.tlsVersionMinOrHighest = word === 'or-highest';
    },
  }),
  row('tran-window SECONDS', 1, 1, 'G', 'Old key lifetime after renegotiation', count('tranWindow')),
  rejected('use-prediction-resistance', 0, 0, 'G', 'mbedTLS RNG option'),
  row('verify-hash HASH [ALGORITHM]', 1, 2, 'GI', 'Pin level-1 CA hash (SHA1 or SHA256)', applyVerifyHash),
  row('verify-x509-name NAME [TYPE]', 1, 2, 'G', {
    help: 'Require peer subject, name or name-prefix',
    apply: ([name = '', type = 'subject'], options, context) => {
      if (name === '') return context.unrecognized();
      if (type !== 'subject' && type !== 'name' && type !== 'name-prefix') {
        return context.fail(`unknown X.509 name type: ${type}`);
      }
      options.verifyX509Name = { name, type };
    },
  }),
  row('x509-track ATTRIBUTE', 1, 1, 'G', {
    help: 'Export cert attribute to environment; +attr for whole chain',
    apply: ([value = ''], options) => {
      const chain = value.startsWith('+');
      options.x509Track = [{ name: chain ? value.slice(1) : value, chain }, ...(options.x509Track ?? [])];
    },
  }),
  row('x509-username-field FIELD...', 1, MANY, 'G', {
    help: 'Cert field(s) used as common name; ext:NAME',
    apply: (values, options, context) => {
      options.x509UsernameField = values.map((field) => usernameField(field, context));
    },
  }),
];
