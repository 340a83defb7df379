/** The library face: questions to the caller, errors with codes, aborts, what callers' code may throw. */
import { getEventListeners } from 'node:events';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RecordedScripts } from '../../test-kit/recorded-scripts.ts';
import { ipPacket } from '../../test-kit/tun-host.ts';
import { SERVER_ADDRESS, TunnelWorld } from '../../test-kit/tunnel-world.ts';
import {
  AuthFailedError,
  createClient,
  MemoryLogger,
  OpenVpnError,
  PacketBatch,
  type Prompter,
  parseConfig,
  type Question,
  type TunDevice,
  type TunnelOptions,
  type TunnelState,
} from '../index.ts';
import { createTunPair } from '../tun/tun-memory.ts';

const VERIFY = 'auth-user-pass-verify /bin/check via-env';

let world: TunnelWorld;
beforeEach(() => {
  world = new TunnelWorld();
});
afterEach(() => world.close());

describe('questions of a library client', () => {
  it('go to its prompter, one field at a time', async () => {
    const scripts = new RecordedScripts();
    await world.serving(VERIFY, { scripts });
    const { prompter, asked } = answering('anna', 'secret', '42');
    const alice = world.client('alice', 'auth-user-pass\nstatic-challenge "Which number?" 1', {
      library: { prompter },
    });
    await world.until(() => alice.ups === 1);
    expect(asked).toEqual([
      { kind: 'Auth', field: 'username', text: 'Enter Auth Username:', echo: true },
      { kind: 'Auth', field: 'password', text: 'Enter Auth Password:', echo: false },
      {
        kind: 'Auth',
        field: 'response',
        text: 'CHALLENGE: Which number?',
        echo: true,
        challenge: { type: 'static', text: 'Which number?', username: 'anna' },
      },
    ]);
    expect(scripts.calls[0]!.env).toMatchObject({ username: 'anna', password: 'SCRV1:c2VjcmV0:NDI=' });
  });

  it('fail with a code where nobody answers', async () => {
    const alice = world.client('alice', 'auth-user-pass');
    const bob = world.client('bob', 'auth-user-pass', {
      library: {
        prompter: {
          ask: () => {
            throw new Error('the vault is shut');
          },
        },
      },
    });
    await world.until(() => alice.ended !== undefined && bob.ended !== undefined);
    expect(alice.ended!.error).toMatchObject({
      code: 'ERR_OVPN_CREDENTIALS',
      message: "can't ask for 'Enter Auth Username:': there is no prompter",
    });
    expect(bob.ended!.error).toMatchObject({
      code: 'ERR_OVPN_CREDENTIALS',
      message: "can't ask for 'Enter Auth Username:': the vault is shut",
    });
  });

  it('end with stop(), whether the prompter listens or not', async () => {
    const signals: AbortSignal[] = [];
    const prompter: Prompter = {
      ask: (_question, signal) => {
        signals.push(signal);
        return new Promise(() => undefined);
      },
    };
    const alice = world.client('alice', 'auth-user-pass', { library: { prompter } });
    await world.until(() => signals.length === 1);
    await world.stop(alice);
    expect(signals[0]!.aborted).toBe(true);
    expect(alice.ended!.error).toBeUndefined();
  });

  it('are asked anew after restart(), and an answer to the old one is dropped', async () => {
    const answers: ((text: string) => void)[] = [];
    const prompter: Prompter = { ask: () => new Promise((resolve) => answers.push(resolve)) };
    const scripts = new RecordedScripts();
    await world.serving(VERIFY, { scripts });
    const alice = world.client('alice', 'auth-user-pass', { library: { prompter } });
    await world.until(() => answers.length === 1);
    alice.tunnel.restart();
    await world.until(() => answers.length === 2);
    answers[0]!('old');
    answers[1]!('anna');
    await world.until(() => answers.length === 3);
    answers[2]!('secret');
    await world.until(() => alice.ups === 1);
    expect(scripts.calls[0]!.env).toMatchObject({ username: 'anna', password: 'secret' });
  });
});

describe('a library client whose SIGUSR1 is remapped to SIGHUP', () => {
  it('pauses before it begins anew', async () => {
    const alice = world.client('alice', 'remap-usr1 SIGHUP\nconnect-timeout 3\nconnect-retry 7');
    await world.until(() => alice.count('SIGHUP[soft,') === 1);
    await world.until(() => alice.count('Restart pause, 7 second(s)') === 1, 5_000);
    const pausedMs = world.nowMs;
    await world.until(() => alice.count('SIGHUP[soft,') === 2);
    expect(world.nowMs - pausedMs).toBeGreaterThanOrEqual(7_000 + 3_000);
  });
});

describe('errors of a library client', () => {
  it('has AuthFailedError with the words of the server', async () => {
    const scripts = new RecordedScripts();
    scripts.answer = ({ env }) => {
      writeFileSync(env.auth_failed_reason_file!, 'come back tomorrow');
      return 1;
    };
    await world.serving(VERIFY, { scripts });
    const { client, states } = await failing('auth-user-pass', { prompter: answering('anna', 'x').prompter });
    expect(client).toBeInstanceOf(AuthFailedError);
    expect(client).toMatchObject({
      code: 'ERR_OVPN_AUTH_FAILED',
      message: 'AUTH: Received control message: AUTH_FAILED,come back tomorrow',
      reason: 'come back tomorrow',
    });
    expect(states.at(-1)).toEqual(['EXITING', { reason: 'auth-failure', error: client }]);
  });

  it('names the refused certificate, and counts it as the cause of the last failure', async () => {
    await world.serving();
    const { client, states } = await failing('verify-x509-name other name\nconnect-retry-max 1');
    expect(client).toMatchObject({
      code: 'ERR_OVPN_RETRY_MAX',
      cause: { code: 'ERR_OVPN_TLS_VERIFY', message: 'VERIFY X509NAME ERROR: CN=server, must be other' },
    });
    const [, info] = states.find(([state]) => state === 'RECONNECTING')!;
    expect(info).toMatchObject({ reason: 'tls-error', error: { code: 'ERR_OVPN_TLS_VERIFY' } });
  });

  it('names a server that keeps silent', async () => {
    const { client } = await failing('connect-retry-max 1\nconnect-timeout 5');
    expect(client).toMatchObject({ cause: { code: 'ERR_OVPN_TIMEOUT', message: 'Server poll timeout' } });
  });

  it('names a server that refuses connections', async () => {
    const { client, states } = await failing('proto tcp-client\nconnect-retry-max 1');
    expect(client).toMatchObject({ cause: { code: 'ERR_OVPN_REFUSED', cause: { code: 'ECONNREFUSED' } } });
    const [, info] = states.find(([state]) => state === 'RECONNECTING')!;
    expect(info).toMatchObject({ reason: 'connection-failed', error: { code: 'ERR_OVPN_REFUSED' } });
  });

  it('names a name that nobody knows', async () => {
    const { client } = await failing('remote nowhere.example 1194\nconnect-retry-max 1\nresolv-retry 0');
    expect(client).toMatchObject({ code: 'ERR_OVPN_RESOLVE' });
  });
});

describe('what a library client tells', () => {
  it('are addresses with CONNECTED, and all else by info()', async () => {
    await world.serving();
    const alice = await world.connected('alice');
    const remote = { family: 4, address: SERVER_ADDRESS, port: 1194 };
    expect(alice.infos.at(-1)).toEqual([
      'CONNECTED',
      { address: '10.8.0.2', remote: expect.objectContaining(remote) },
    ]);
    expect(alice.tunnel.info()).toMatchObject({
      state: 'CONNECTED',
      address: '10.8.0.2',
      remote,
      transport: 'udp',
      local: { family: 4, address: '198.51.100.10' },
      device: 'tun0',
      mtu: 1500,
      cipher: 'AES-256-GCM',
      peerName: 'server',
    });
    const before = alice.tunnel.info()!.counters;
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    const after = alice.tunnel.info()!.counters;
    expect(after.tunReadBytes).toBeGreaterThan(before.tunReadBytes);
    expect(after.tunWriteBytes).toBeGreaterThan(before.tunWriteBytes);
    await world.stop(alice);
    expect(alice.tunnel.info()).toMatchObject({ state: 'EXITING' });
    expect(alice.tunnel.info()).not.toHaveProperty('address');
  });

  it('are the reasons of a reconnection', async () => {
    const server = await world.serving('keepalive 2 6');
    const alice = await world.connected('alice');
    world.kill(server);
    await world.until(() => alice.states.includes('RECONNECTING'), 60_000);
    const [, info] = alice.infos.find(([state]) => state === 'RECONNECTING')!;
    expect(info).toMatchObject({ reason: 'ping-restart', error: { code: 'ERR_OVPN_TIMEOUT' } });
  });
});

describe('the signal of start()', () => {
  it('that is aborted already starts nothing', async () => {
    const reason = new Error('changed my mind');
    const alice = world.client('alice', '', { signal: AbortSignal.abort(reason) });
    await world.until(() => alice.ended !== undefined);
    expect(alice.startError).toBe(reason);
    expect([alice.states, alice.sockets.links, alice.log.lines]).toEqual([[], [], []]);
    expect(() => alice.tunnel.start()).toThrow('once');
    await alice.tunnel.stop();
  });

  it('ends a start, a question included, with its reason, and is left without a listener', async () => {
    const controller = new AbortController();
    let asked: AbortSignal | undefined;
    const prompter: Prompter = {
      ask: (_question, signal) => {
        asked = signal;
        return new Promise(() => undefined);
      },
    };
    const { signal } = controller;
    const alice = world.client('alice', 'auth-user-pass', { library: { prompter }, signal });
    await world.until(() => asked !== undefined);
    expect(listenersOf(controller)).toBe(1);
    controller.abort('enough');
    await world.until(() => alice.ended !== undefined);
    expect(alice.startError).toBe('enough');
    expect(asked!.aborted).toBe(true);
    expect(listenersOf(controller)).toBe(0);
  });

  it('means nothing once the tunnel is up, and is left without a listener then, too', async () => {
    await world.serving();
    const controller = new AbortController();
    const alice = world.client('alice', '', { signal: controller.signal });
    await world.until(() => alice.ups === 1);
    expect(listenersOf(controller)).toBe(0);
    controller.abort();
    await world.run(1000);
    expect(alice.ended).toBeUndefined();
  });

  it('ends the wait for a name, a pause and a silent server', async () => {
    for (const extra of ['remote 192.0.2.77 1194', 'remote nowhere.example 1194\nresolv-retry infinite']) {
      const controller = new AbortController();
      const alice = world.client('alice', extra, { signal: controller.signal });
      await world.run(3000);
      controller.abort();
      await world.until(() => alice.ended !== undefined, 1000);
      expect(listenersOf(controller)).toBe(0);
    }
  });
});

describe('two tunnels from one configuration', () => {
  it('do not see each other, nor change what they were given', async () => {
    const server = await world.serving('duplicate-cn\nkeepalive 5 20\npush "route 172.16.0.0 255.255.0.0"');
    const first = world.client('alice', 'explicit-exit-notify 1');
    const shared = first.config;
    const before = structuredClone(shared.options);
    const second = world.client('bob', '', { config: shared });
    await world.until(() => first.ups === 1 && second.ups === 1);
    expect(shared.options).toEqual(before);
    expect([first.address, second.address].sort()).not.toEqual([first.address, first.address]);
    expect(server.tunnel.status()!.clients).toHaveLength(2);
  });
});

describe('what the code of a caller throws', () => {
  const boom = new Error('boom');

  it('in a listener ends its own tunnel, and keeps no other listener from being called', async () => {
    await world.serving();
    const bob = await world.connected('bob');
    const alice = world.client('alice');
    const seen: TunnelState[] = [];
    alice.tunnel.on('state', () => {
      throw boom;
    });
    alice.tunnel.on('state', (state) => seen.push(state));
    await world.until(() => alice.ended !== undefined);
    expect(alice.ended!.error).toMatchObject({ code: 'ERR_OVPN_CALLBACK', cause: boom });
    expect(alice.ended!.error!.message).toBe("a listener of 'state' threw: boom");
    expect(seen.at(-1)).toBe('EXITING');
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
  });

  it.each(['readBatch', 'writeBatch'] as const)('in %s of a device ends its own tunnel', async (method) => {
    await world.serving('client-to-client');
    const bob = await world.connected('bob');
    let system = createTunPair().system;
    const open = () => {
      const pair = createTunPair();
      system = pair.system;
      Object.defineProperty(pair.device, method, {
        value: () => {
          throw boom;
        },
      });
      return pair.device;
    };
    const alice = world.client('alice', '', { library: { tun: { name: 'broken', open } } });
    await world.until(() => alice.ups === 1);
    if (method === 'readBatch') sendFrom(system);
    else bob.host.send(bob.address, alice.address, 'hello');
    await world.until(() => alice.ended !== undefined);
    expect(alice.ended!.error).toMatchObject({ code: 'ERR_OVPN_CALLBACK', cause: boom });
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
  });

  it('in a log ends its own tunnel, client or server', async () => {
    await world.serving();
    const bob = await world.connected('bob');
    const alice = world.client('alice', '', { library: { log: new BrokenLog(boom, 'PUSH: Received') } });
    await world.until(() => alice.ended !== undefined);
    expect(alice.ended!.error).toMatchObject({ code: 'ERR_OVPN_CALLBACK', message: 'the log threw: boom' });
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
  });

  it('in a script runner is a script that failed', async () => {
    const scripts = new RecordedScripts();
    scripts.run = () => {
      throw boom;
    };
    const server = await world.serving(VERIFY, { scripts });
    const { client } = await failing('auth-user-pass', { prompter: answering('anna', 'x').prompter });
    expect(client).toBeInstanceOf(AuthFailedError);
    expect(server.count('the script runner recorded threw: boom')).toBe(1);
    expect(server.ended).toBeUndefined();
  });
});

describe('options about the process', () => {
  it('are named, each in a warning and a line of the log', async () => {
    const alice = world.client('alice', 'user nobody\ngroup nogroup\nwritepid /nonexistent/pid\nnice 5');
    await world.until(() => alice.states.length > 0);
    expect(alice.warnings.map((text) => /--(\S+) has no meaning in a library/.exec(text)?.[1])).toEqual([
      'user',
      'group',
      'nice',
      'writepid',
    ]);
    for (const text of alice.warnings) expect(alice.count(text)).toBe(1);
  });

  it('that would change what others mean are refused', async () => {
    const config = parseConfig('client\ndev tun\nremote 192.0.2.1\nca x\ncert x\nkey x');
    config.options.chroot = '/jail';
    await expect(createClient(config).start()).rejects.toMatchObject({ code: 'ERR_OVPN_OPTIONS' });
  });
});

/** A client that is to fail: its error and the states it went through. */
async function failing(extra: string, library: TunnelOptions = {}) {
  const alice = world.client('alice', extra, { library });
  await world.until(() => alice.ended !== undefined, 200_000);
  expect(alice.startError).toBe(alice.ended!.error);
  expect(alice.startError).toBeInstanceOf(OpenVpnError);
  return { client: alice.startError, states: alice.infos };
}

function listenersOf({ signal }: AbortController): number {
  return getEventListeners(signal, 'abort').length;
}

function sendFrom(system: TunDevice): void {
  const batch = new PacketBatch(1);
  batch.push(ipPacket('10.8.0.2', '10.8.0.1', 'hello'));
  system.writeBatch(batch, 0, 1);
}

/** Throws at a line that contains `text`. */
class BrokenLog extends MemoryLogger {
  readonly #error: Error;
  readonly #text: string;

  constructor(error: Error, text: string) {
    super();
    this.#error = error;
    this.#text = text;
  }

  override log(level: number, text: string): void {
    if (text.includes(this.#text)) throw this.#error;
    super.log(level, text);
  }
}

function answering(...answers: string[]): { prompter: Prompter; asked: Question[] } {
  const asked: Question[] = [];
  return {
    asked,
    prompter: {
      ask: async (question) => {
        asked.push(question);
        return answers.shift()!;
      },
    },
  };
}
