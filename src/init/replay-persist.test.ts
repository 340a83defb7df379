/** The file of --replay-persist: 2.x's record, what survives a restart, and what is said when it can't be used. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { addonForTests } from '../../test-kit/native-addon.ts';
import { MemoryLogger, OpenVpnError } from '../base/base.ts';
import { PacketIdRec, REPLAY_EXPIRED, REPLAY_OK } from '../crypto/crypto.ts';
import {
  REPLAY_RECORD_BYTES,
  ReplayPersistFile,
  readReplayRecord,
  writeReplayRecord,
} from './replay-persist.ts';

const dir = mkdtempSync(join(tmpdir(), 'ovpn-replay-'));
afterAll(() => rmSync(dir, { recursive: true }));
let files = 0;
const fresh = (): string => join(dir, `ids-${files++}`);

describe('the record of --replay-persist', () => {
  it('is read as it is written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 - 1 }), fc.nat(2 ** 32 - 1), (time, packetId) => {
        expect(readReplayRecord(writeReplayRecord({ time, packetId }))).toEqual({ time, packetId });
      }),
    );
  });

  it('is any 16 bytes but a time of 0, and nothing of another length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const record = readReplayRecord(bytes);
        const timeless = bytes.subarray(0, 8).every((byte) => byte === 0);
        expect(record !== undefined).toBe(bytes.length === REPLAY_RECORD_BYTES && !timeless);
      }),
    );
  });
});

describe('ReplayPersistFile', () => {
  it('makes a file for its owner alone, and writes nothing before there is something', () => {
    const path = fresh();
    const file = open(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(file.newest).toBeUndefined();
    file.save();
    expect(readFileSync(path)).toHaveLength(0);
    file.close();
  });

  it('lets a later session take only what is newer', () => {
    const path = fresh();
    const file = open(path);
    const rec = new PacketIdRec(64, 15, file);
    for (const id of [1, 3, 2]) expect(rec.check(id, 0, 1000)).toBe(REPLAY_OK);
    file.close();
    expect(readReplayRecord(readFileSync(path))).toEqual({ time: 1000, packetId: 3 });
    const again = open(path);
    expect(again.newest).toEqual({ time: 1000, packetId: 3 });
    const later = new PacketIdRec(64, 15, again);
    for (const id of [1, 2, 3]) expect(later.check(id, 0, 1000)).toBe(REPLAY_EXPIRED);
    expect(later.check(1, 0, 999)).not.toBe(REPLAY_OK);
    expect(later.check(6, 0, 1000)).toBe(REPLAY_OK);
    expect([4, 5].map((id) => later.check(id, 0, 1000))).toEqual([REPLAY_OK, REPLAY_OK]);
    expect(later.check(1, 0, 1001)).toBe(REPLAY_OK);
    expect(new PacketIdRec(64, 15, again).check(1, 0, 1001)).toBe(REPLAY_EXPIRED);
    again.close();
  });

  it('remembers nothing of ids without time', () => {
    const file = open(fresh());
    expect(new PacketIdRec(64, 15, file).check(7, 0)).toBe(REPLAY_OK);
    expect(file.newest).toBeUndefined();
    file.close();
  });

  it('passes over a file that holds something else, and replaces it', () => {
    const path = fresh();
    writeFileSync(path, 'short');
    const file = open(path);
    expect(file.newest).toBeUndefined();
    file.note(9, 77);
    file.close();
    expect(readReplayRecord(readFileSync(path))).toEqual({ time: 77, packetId: 9 });
  });

  it('tells at verb 9 what it reads and writes', () => {
    const path = fresh();
    const log = new MemoryLogger(9);
    const file = new ReplayPersistFile(path, log);
    file.open();
    file.note(5, 1_700_000_000);
    file.close();
    file.open();
    file.close();
    expect(log.lines).toHaveLength(2);
    expect(log.lines[0]).toMatch(/^PID Persist Write to .*: \[ #5 \/ time = \(1700000000\) 2023-11-1[45] /);
    expect(log.lines[1]).toMatch(/^PID Persist Read from .*: \[ #5 \/ time = \(1700000000\) 2023-11-1[45] /);
  });

  it('goes on without a file that it may not open', () => {
    const log = new MemoryLogger();
    const file = new ReplayPersistFile(join(dir, 'missing', 'ids'), log);
    file.open();
    file.note(1, 2);
    file.save();
    expect(file.newest).toEqual({ packetId: 1, time: 2 });
    file.close();
    expect(log.lines).toEqual([
      `Cannot open --replay-persist file ${join(dir, 'missing', 'ids')} for read/write: No such file or directory (errno=2)`,
    ]);
  });

  it('ends the program when another one has the file', () => {
    addonForTests();
    const path = fresh();
    const file = open(path);
    const second = new ReplayPersistFile(path, new MemoryLogger());
    const problem = `Cannot obtain exclusive lock on --replay-persist file ${path}: Resource temporarily unavailable (errno=11)`;
    expect(() => second.open()).toThrow(OpenVpnError);
    expect(() => second.open()).toThrow(problem);
    file.close();
    second.open();
    second.close();
  });
});

function open(path: string): ReplayPersistFile {
  const file = new ReplayPersistFile(path, new MemoryLogger());
  file.open();
  return file;
}
