/**
 * Fuzz entry of the addon's TLS engine, through its interface: bytes as certificates, keys, lists and
 * parameters; as first flight of either side; over a good flight, certificates in clear among it; as
 * records after a handshake; and as a handshake message behind a good hello. Nothing but a TlsError may be thrown, nothing forged may come out as plaintext.
 */
import { TlsError } from '../src/base/base.ts';
import type { SslContext, SslSession, TlsEngineConfig } from '../src/ssl/ssl-backend.ts';
import { createNativeSsl } from '../src/ssl/ssl-native.ts';
import { addonForTests } from '../test-kit/native-addon.ts';
import { TestPki } from '../test-kit/tls-pki.ts';

const LABELS = [
  'CERTIFICATE',
  'X509 CRL',
  'PRIVATE KEY',
  'ENCRYPTED PRIVATE KEY',
  'DH PARAMETERS',
  'RSA PRIVATE KEY',
];
/** A flight changed here goes on for so many turns at most. */
const TURNS = 8;
const CERTIFICATE = 11;

const backend = createNativeSsl(addonForTests());
const pki = new TestPki();
const own = pki.issue({ subject: '/CN=both', extensions: ['extendedKeyUsage=serverAuth,clientAuth'] });
pki.close();
const base = { ca: [pki.ca.cert], ...own } as const;
const contexts = (['1.2', '1.3'] as const).map((maxVersion) => ({
  server: backend.createContext({ role: 'server', requestCert: true, ...base, maxVersion }),
  client: backend.createContext({ role: 'client', requestCert: false, ...base, maxVersion }),
}));

/** What a peer or file really looks like, behind the two bytes that choose what becomes of it. */
function realInputs(): Uint8Array[] {
  const der = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
  const files = [der(own.cert), der(own.key), Buffer.from(own.cert), Buffer.from(own.key)];
  const loads = files.flatMap((file) =>
    [0, 1, 2, 3, 4].map((i) => Buffer.concat([Uint8Array.of(0, i * 7), file])),
  );
  const [old] = contexts;
  const server = old!.server.createSession(() => undefined);
  const client = old!.client.createSession(() => undefined);
  const hello = client.readCiphertext()!;
  server.writeCiphertext(hello);
  const flights = [Buffer.concat([Uint8Array.of(1, 2), hello])];
  flights.push(Buffer.concat([Uint8Array.of(1, 0), server.readCiphertext()!]));
  for (const session of [server, client]) session.close();
  const certificates = [own.cert, pki.ca.cert].map((cert) => Buffer.concat([Uint8Array.of(4, 0), der(cert)]));
  return [...loads, ...flights, ...certificates];
}

export const target = {
  name: 'tls-engine',
  // A handshake takes a millisecond.
  executions: 200,
  corpus: realInputs(),
  run(bytes: Uint8Array): void {
    const [kind = 0, choice = 0] = bytes;
    const rest = bytes.subarray(2);
    const { server, client } = contexts[choice & 1]!;
    if (kind % 5 === 0) loadFiles(rest, choice);
    else if (kind % 5 === 1) firstFlight(choice & 2 ? server : client, rest);
    else if (kind % 5 === 2) changedFlight(server, client, choice, rest);
    else if (kind % 5 === 3) recordsAfter(server, client, rest);
    else messageBehindHello(contexts[0]!, choice, rest);
  },
};

/** As it is, as the DER inside of PEM, or that behind a good certificate; in one of the places it can stand. */
function loadFiles(bytes: Uint8Array, choice: number): void {
  const label = LABELS[choice % LABELS.length]!;
  const pem = `-----BEGIN ${label}-----\n${Buffer.from(bytes).toString('base64')}\n-----END ${label}-----\n`;
  const text = [pem, own.cert + pem, Buffer.from(bytes).toString('latin1')][choice % 3]!;
  const parts: Partial<TlsEngineConfig>[] = [
    { ca: [text] },
    { cert: text },
    { key: text, keyPassphrase: 'x' },
    { cert: own.cert, key: text, extraCerts: text },
    { dh: text },
    { ciphers: text, ciphersuites: text },
    { groups: text },
    { pkcs12: bytes, keyPassphrase: 'x' },
  ];
  try {
    const part = parts[choice % parts.length]!;
    backend.createContext({ role: 'server', requestCert: true, ...part }).close();
  } catch (error) {
    if (!(error instanceof TlsError)) throw error;
  }
}

function firstFlight(context: SslContext, bytes: Uint8Array): void {
  const session = context.createSession(() => undefined);
  for (let at = 0; at < bytes.length; at += 700) session.writeCiphertext(bytes.subarray(at, at + 700));
  if (session.handshakeDone) throw new Error('a handshake with nobody');
  look(session);
}

/** A whole handshake in which one flight is changed by the input, byte for byte. */
function changedFlight(server: SslContext, client: SslContext, choice: number, mask: Uint8Array): void {
  const ends = [server.createSession(() => undefined), client.createSession(() => undefined)] as const;
  for (let turn = 0; turn < TURNS; turn++) {
    const from = ends[(turn + 1) & 1]!;
    const to = ends[turn & 1]!;
    for (let out = from.readCiphertext(); out; out = from.readCiphertext()) {
      if (turn === (choice >> 1) % 5) change(out, choice, mask);
      to.writeCiphertext(out);
    }
  }
  for (const end of ends) look(end);
}

function change(flight: Uint8Array, choice: number, mask: Uint8Array): void {
  const start = ((choice * 977) >> 2) % flight.length;
  for (let i = 0; i < mask.length; i++) {
    const at = (start + i) % flight.length;
    flight[at] = flight[at]! ^ mask[i]!;
  }
}

function recordsAfter(server: SslContext, client: SslContext, bytes: Uint8Array): void {
  const ends = [server.createSession(() => undefined), client.createSession(() => undefined)] as const;
  for (let turn = 0; turn < TURNS; turn++) {
    const out = ends[(turn + 1) & 1]!.readCiphertext();
    if (out) ends[turn & 1]!.writeCiphertext(out);
  }
  for (const end of ends) {
    if (!end.handshakeDone) throw new Error(`no handshake: ${end.failure()}`);
    const record = Buffer.concat([Uint8Array.of(23, 3, 3, bytes.length >> 8, bytes.length & 0xff), bytes]);
    end.writeCiphertext(record);
    end.writeCiphertext(bytes);
    if (end.readPlaintext()) throw new Error('forged plaintext');
    look(end);
  }
}

/** In clear, as in TLS 1.2: a client's certificate, or whatever `choice` makes of it. */
function messageBehindHello(old: (typeof contexts)[number], choice: number, bytes: Uint8Array): void {
  const server = old.server.createSession(() => undefined);
  const client = old.client.createSession(() => undefined);
  server.writeCiphertext(client.readCiphertext()!);
  const message =
    choice === 0 ? handshake(CERTIFICATE, vector(vector(bytes))) : handshake(choice % 25, bytes);
  for (let at = 0; at < message.length; at += 16_384) {
    const part = message.subarray(at, at + 16_384);
    server.writeCiphertext(
      Buffer.concat([Uint8Array.of(22, 3, 3, part.length >> 8, part.length & 0xff), part]),
    );
  }
  if (server.handshakeDone) throw new Error('a handshake with nobody');
  look(server);
  client.close();
}

function handshake(type: number, body: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(type), vector(body)]);
}

function vector(content: Uint8Array): Uint8Array {
  const { length } = content;
  return Buffer.concat([Uint8Array.of(length >> 16, (length >> 8) & 0xff, length & 0xff), content]);
}

/** Everything that may be asked, then the end. */
function look(session: SslSession): void {
  try {
    session.peerChain();
    session.chainProblem();
    session.describe();
    session.exportKeyingMaterial('EXPORTER-fuzz', 32);
  } catch (error) {
    if (!(error instanceof TlsError)) throw error;
  }
  session.writePlaintext(Uint8Array.of(1));
  session.readCiphertext();
  session.close();
  session.writeCiphertext(Uint8Array.of(1));
  if (session.readCiphertext() ?? session.readPlaintext()) throw new Error('a closed session speaks');
}
