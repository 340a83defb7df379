/** The real logger: line forms and mute rules of 2.x error.c (scripts-and-env facts, section 5). */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ManualClock } from './clock.ts';
import { createClock } from './clock-node.ts';
import {
  D_HANDSHAKE,
  D_LINK_ERRORS,
  D_MULTI_LOW,
  D_OSBUF,
  D_PUSH,
  D_ROUTE,
  D_TLS_DEBUG_LOW,
  D_TLS_ERRORS,
  M_FATAL,
  M_INFO,
  M_NONFATAL,
  M_NOPREFIX,
  M_STRANGER,
  M_WARN,
} from './errlevel.ts';
import { createLog, type LogOptions } from './log-node.ts';
import { timeText } from './time-text.ts';

/** 2026-11-22 18:55:02.025365 UTC. */
const WALL_MS = Date.UTC(2026, 10, 22, 18, 55, 2) + 25.365;

function capture(options: LogOptions = {}) {
  const lines: string[] = [];
  const log = createLog({ ...options, clock: new ManualClock(0, WALL_MS), sink: (line) => lines.push(line) });
  return { log, lines };
}

describe('line forms', () => {
  it('starts a line with local date and time', () => {
    const { log, lines } = capture();
    log.log(M_INFO, 'Initialization Sequence Completed');
    expect(lines).toEqual([`${timeText(WALL_MS)} Initialization Sequence Completed`]);
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Init/);
  });

  it('adds unpadded microseconds from verb 4 on', () => {
    const { log, lines } = capture({ verb: 4 });
    log.log(M_INFO, 'text');
    expect(lines).toEqual([`${timeText(WALL_MS)} us=25365 text`]);
  });

  it('writes time and flag word for machines', () => {
    const { log, lines } = capture({ machineReadable: true });
    log.log(0x2b000003 & ~2, 'text');
    expect(lines).toEqual([`${Math.floor(WALL_MS / 1000)}.025365 2b000001 text`]);
  });

  it('leaves the time out when told to, and for messages without prefix', () => {
    const plain = capture({ suppressTimestamps: true });
    plain.log.log(M_INFO, 'text');
    const stamped = capture();
    stamped.log.log(M_INFO | M_NOPREFIX, 'text');
    expect([...plain.lines, ...stamped.lines]).toEqual(['text', 'text']);
  });

  it('puts the prefix of a child in front, in place of its parent’s', () => {
    const { log, lines } = capture({ suppressTimestamps: true });
    const child = log.child(() => '192.0.2.7:1194');
    child.log(M_INFO, 'one');
    child.child(() => 'client1/192.0.2.7:1194').log(M_INFO, 'two');
    child.child(() => '').log(M_INFO, 'three');
    expect(lines).toEqual(['192.0.2.7:1194 one', 'client1/192.0.2.7:1194 two', 'three']);
  });

  it('has 10239 bytes of a message, as 2.x has, and the prefix besides', () => {
    const { log, lines } = capture({ suppressTimestamps: true });
    log.log(M_INFO, 'x'.repeat(300_000));
    log.child(() => 'a/192.0.2.7:1194').log(M_INFO, 'ü'.repeat(300_000));
    log.log(M_INFO, 'x'.repeat(10_239));
    expect(lines.map((line) => line.length)).toEqual([10_239, 'a/192.0.2.7:1194 '.length + 5_120, 10_239]);
  });

  it('follows a fatal message by the exit line', () => {
    const { log, lines } = capture({ suppressTimestamps: true });
    log.log(M_FATAL, 'Cannot open TUN/TAP dev /dev/net/tun');
    expect(lines).toEqual(['Cannot open TUN/TAP dev /dev/net/tun', 'Exiting due to fatal error']);
  });
});

describe('verbosity', () => {
  it('drops lines above it and can be changed while running', () => {
    const { log, lines } = capture({ suppressTimestamps: true });
    log.log(D_HANDSHAKE, 'hidden');
    log.configure({ verb: 3 });
    log.log(D_HANDSHAKE, 'shown');
    expect(lines).toEqual(['shown']);
    log.configure({ verb: 99 });
    expect(log.verb).toBe(15);
  });
});

describe('mute', () => {
  it('announces and then counts repeats of one category', () => {
    const { log, lines } = capture({ mute: 2, suppressTimestamps: true });
    for (let i = 1; i <= 5; i++) log.log(D_TLS_ERRORS, `tls ${i}`);
    log.log(D_LINK_ERRORS, 'link');
    expect(lines).toEqual([
      'tls 1',
      'tls 2',
      'NOTE: --mute triggered...',
      '3 variation(s) on previous 2 message(s) suppressed by --mute',
      'link',
    ]);
  });

  it('starts anew after another category', () => {
    const { log, lines } = capture({ mute: 1, suppressTimestamps: true });
    for (const level of [D_TLS_ERRORS, D_LINK_ERRORS, D_TLS_ERRORS]) log.log(level, 'x');
    expect(lines).toEqual(['x', 'x', 'x']);
  });
});

describe('lines without a category', () => {
  it('are never muted', () => {
    const { log, lines } = capture({ mute: 1, suppressTimestamps: true, verb: 3 });
    for (const level of [M_INFO, M_INFO, D_ROUTE, D_ROUTE, M_WARN, M_NONFATAL]) log.log(level, 'x');
    expect(lines).toEqual(Array(6).fill('x'));
  });

  it('end a run of muted ones', () => {
    const { log, lines } = capture({ mute: 1, suppressTimestamps: true });
    for (const level of [D_TLS_ERRORS, D_TLS_ERRORS, M_INFO, M_INFO]) log.log(level, 'x');
    expect(lines).toEqual([
      'x',
      'NOTE: --mute triggered...',
      '1 variation(s) on previous 1 message(s) suppressed by --mute',
      'x',
      'x',
    ]);
  });
});

describe('flag words for machines', () => {
  it.each([
    [D_TLS_DEBUG_LOW, '14000003'],
    [D_PUSH, '22000003'],
    [D_MULTI_LOW, '26000003'],
    [D_HANDSHAKE, '14000002'],
    [D_OSBUF, '2b000003'],
    [D_ROUTE, '3'],
    [D_TLS_ERRORS, '3000021'],
  ])('are those that 2.6 writes', (level, word) => {
    const { log, lines } = capture({ machineReadable: true, verb: 3 });
    log.log(level, 'x');
    expect(lines[0]?.split(' ')[1]).toBe(word);
  });
});

describe('log files', () => {
  it('makes them readable by the owner only, and truncates or appends', () => {
    const directory = mkdtempSync(join(tmpdir(), 'ovpn-log-'));
    try {
      const path = join(directory, 'a.log');
      for (const append of [false, true, false]) {
        const log = createLog({ logFile: path, append, suppressTimestamps: true });
        log.log(M_INFO, `append ${append}`);
        expect(log.fd).toBeTypeOf('number');
        log.openFile('/nonexistent/other', false); // the first one wins
        log.close();
        if (append) expect(readFileSync(path, 'utf8')).toBe('append false\nappend true\n');
      }
      expect(readFileSync(path, 'utf8')).toBe('append false\n');
      expect(statSync(path).mode & 0o777).toBe(0o600);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('says which file could not be opened, and goes on with standard output', () => {
    const lines: string[] = [];
    const sink = (line: string): void => void lines.push(line);
    const log = createLog({ logFile: '/nonexistent/x.log', suppressTimestamps: true, sink });
    expect(log.fd).toBeUndefined();
    log.log(M_INFO, 'more');
    expect(lines).toEqual([
      'Warning: Error redirecting stdout/stderr to --log file: /nonexistent/x.log: No such file or directory (errno=2)',
      'more',
    ]);
  });

  it('gives a tap every written line without its time', () => {
    const { log } = capture();
    const seen: string[] = [];
    log.tap((_level, text) => seen.push(text));
    log.child(() => 'c1').log(M_INFO, 'hello');
    log.log(D_HANDSHAKE, 'not at verb 1');
    expect(seen).toEqual(['c1 hello']);
  });
});

describe('lines that strangers cause', () => {
  it('are written up to a hundred a second, all loggers together, and others go on', () => {
    const clock = new ManualClock();
    const lines: string[] = [];
    const log = createLog({ clock, sink: (line) => lines.push(line), suppressTimestamps: true });
    const child = log.child(() => 'client1');
    const flood = () => {
      let built = 0;
      for (let i = 0; i < 500; i++) {
        const to = i % 2 === 0 ? log : child;
        if (to.enabled(D_TLS_ERRORS | M_STRANGER)) built++;
        to.log(D_TLS_ERRORS | M_STRANGER, 'TLS Error: bad');
      }
      return built;
    };
    expect(flood()).toBe(100);
    log.log(M_INFO, 'an honest line');
    expect(lines).toHaveLength(102);
    expect(lines.slice(-2)).toEqual([
      'NOTE: 100 lines about bad packets within a second, leaving out further ones',
      'an honest line',
    ]);
    clock.advance(500);
    expect(flood()).toBe(0);
    clock.advance(500);
    expect(flood()).toBe(100);
  });

  it('do not show their flag', () => {
    const { log, lines } = capture({ machineReadable: true });
    log.log(M_INFO | M_STRANGER, 'text');
    expect(lines[0]).toMatch(/ 1 text$/);
  });
});

describe('the clock', () => {
  it('never runs backwards and knows the system time', () => {
    const clock = createClock();
    const before = clock.nowMs();
    const wall = clock.wallMs();
    expect(clock.nowMs()).toBeGreaterThanOrEqual(before);
    expect(Math.abs(wall - Date.now())).toBeLessThan(1000);
  });
});
