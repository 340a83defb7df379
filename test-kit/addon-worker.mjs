/**
 * What a worker thread does with the addon in a test (src/native/workers.test.ts), in plain JavaScript, since workers
 * load no TypeScript: data packets there and back, a packet of the control channel, two UDP sockets on the loopback
 * address, a TLS handshake whose server's key lives elsewhere. Says 'done', and then ends as it is told to.
 *
 *   workerData: addon (file), ending (close, exit, terminate), cert and key (PEM of the server)
 *
 * As a program of its own it starts such workers, and has nothing to do with the addon itself:
 *
 *   node addon-worker.mjs WORKER-DATA-AS-JSON WORKERS
 */
import { createPrivateKey, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const SLOTS = 8;
const SLOT_BYTES = 256;
const HEADROOM = 64;
const TAILROOM = 32;
const ADDRESS_WORDS = 8;
const LOOPBACK = [4, 0, 0x7f000001, 0, 0, 0, 0, 0];
const READABLE = 1;
const DONE = 4;
const SIGN = 16;
/** Handshakes need a few flights. */
const MAX_FLIGHTS = 10;

if (isMainThread) await startWorkers(JSON.parse(process.argv[2]), Number(process.argv[3]));
else await work(workerData);

/** One after the other, so that each thread that has the addon is gone before the next. */
async function startWorkers(data, count) {
  for (let i = 0; i < count; i++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: data });
    worker.once('message', () => data.ending === 'terminate' && worker.terminate());
    await once(worker, 'exit');
  }
  const loaded = readFileSync('/proc/self/maps', 'utf8').includes(data.addon);
  process.stdout.write(`the addon is ${loaded ? 'still' : 'no longer'} loaded\n`);
}

async function work({ addon: file, ending, cert, key }) {
  const addon = createRequire(import.meta.url)(file);
  for (const cipher of ['AES-256-GCM', 'CHACHA20-POLY1305']) sealAndOpen(addon, cipher);
  for (const digest of ['SHA256', 'SHA1', 'SHA512']) wrap(addon, digest);
  shakeHands(addon, cert, key);
  const sockets = await talk(addon);
  if (ending === 'close') for (const socket of sockets) socket.close();
  parentPort.postMessage('done');
  // With open sockets that are watched: by itself such a thread would stay.
  if (ending === 'exit') process.exit();
}

function sealAndOpen(addon, cipher) {
  const [key, iv] = [new Uint8Array(32).fill(1), new Uint8Array(8).fill(2)];
  const sealer = new addon.AeadSealer(cipher, key, iv, 0, 7, 1);
  const opener = new addon.AeadOpener(cipher, key, iv);
  const batch = makeBatch();
  for (let slot = 0; slot < SLOTS; slot++) put(batch, slot, new Uint8Array(100).fill(slot));
  const { slab, offsets, lengths } = batch;
  sealer.sealBatch(slab, SLOT_BYTES, offsets, lengths, 0, SLOTS);
  const [status, ids] = [new Int32Array(SLOTS), new Uint32Array(SLOTS)];
  opener.openBatch(slab, SLOT_BYTES, offsets, lengths, status, ids, 0, SLOTS);
  for (let slot = 0; slot < SLOTS; slot++) {
    expect(status[slot] === 0 && ids[slot] === slot + 1, `${cipher} opens`);
    expect(Buffer.from(packet(batch, slot)).equals(Buffer.alloc(100, slot)), `${cipher} gives back`);
  }
  sealer.destroy();
}

function wrap(addon, digest) {
  const mac = new addon.Mac(digest, new Uint8Array(32).fill(3));
  const bytes = new Uint8Array(128).fill(4);
  mac.write(bytes, 0, mac.bytes, 64, 128, 64, 64, 64, 64);
  expect(mac.matches(bytes, 0, mac.bytes, 64, 128, 64, 64, 64, 64), `${digest} matches`);
  bytes[100]++;
  expect(!mac.matches(bytes, 0, mac.bytes, 64, 128, 64, 64, 64, 64), `${digest} differs`);
  new addon.AesCtr(new Uint8Array(32)).apply(bytes, 0, 64, 128, bytes, 64);
}

/** The server's key is here, and asked for its signature. */
function shakeHands(addon, cert, key) {
  const settings = new addon.TlsContext(true, false);
  expect(settings.useCertificate(cert) === undefined, 'certificate');
  expect(settings.useExternalKey() === undefined, 'key');
  const server = new addon.TlsSession(settings);
  const client = new addon.TlsSession(new addon.TlsContext(false, false));
  const privateKey = createPrivateKey(key);
  for (let i = 0; i < MAX_FLIGHTS && !(client.state & server.state & DONE); i++) {
    carry(client, server);
    if (server.state & SIGN) {
      const [message, , digest] = server.signRequest();
      server.provideSignature(sign(digest, message, privateKey));
    }
    carry(server, client);
  }
  expect(client.state & server.state & DONE, `handshake: ${client.failure()}, ${server.failure()}`);
  client.send(Buffer.from('hello'));
  carry(client, server);
  expect(String(server.plaintext()) === 'hello', 'plaintext');
}

function carry(from, to) {
  const flight = from.output();
  if (flight !== undefined) to.write(flight);
}

/** A batch from one socket to the other; both stay open. */
async function talk(addon) {
  const batch = makeBatch();
  const { slab, offsets, lengths } = batch;
  const addresses = new Int32Array(SLOTS * ADDRESS_WORDS);
  let received = 0;
  const sockets = [];
  await new Promise((resolve) => {
    const receiver = open(addon, () => {
      const got = makeBatch();
      const room = [SLOT_BYTES, HEADROOM, TAILROOM];
      received += receiver.recvBatch(got.slab, ...room, got.offsets, got.lengths, addresses.slice(), SLOTS);
      if (received >= SLOTS) resolve();
    });
    const sender = open(addon, () => undefined);
    sockets.push(receiver, sender);
    const to = new Int32Array(ADDRESS_WORDS);
    receiver.localAddress(to);
    for (let slot = 0; slot < SLOTS; slot++) {
      put(batch, slot, new Uint8Array(50 + slot));
      addresses.set(to, slot * ADDRESS_WORDS);
    }
    receiver.poll(READABLE);
    const sent = sender.sendBatch(slab, SLOT_BYTES, offsets, lengths, addresses, 0, SLOTS);
    expect(sent === SLOTS, 'sent');
  });
  return sockets;
}

function open(addon, onReady) {
  return new addon.Udp(Int32Array.from(LOOPBACK), false, 0, 0, new Int32Array(49), onReady, true);
}

function makeBatch() {
  return {
    slab: new Uint8Array(SLOTS * SLOT_BYTES),
    offsets: new Int32Array(SLOTS),
    lengths: new Int32Array(SLOTS),
  };
}

function put({ slab, offsets, lengths }, slot, bytes) {
  offsets[slot] = slot * SLOT_BYTES + HEADROOM;
  lengths[slot] = bytes.length;
  slab.set(bytes, offsets[slot]);
}

function packet({ slab, offsets, lengths }, slot) {
  return slab.subarray(offsets[slot], offsets[slot] + lengths[slot]);
}

function expect(good, what) {
  if (!good) throw new Error(`in a worker: ${what}`);
}
