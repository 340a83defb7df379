/**
 * What the caller of the library brings along (a device, a log, a script runner) may throw. It is called from the
 * middle of our work and from the event loop, where an error would stop other tunnels or the process; so it
 * is caught at the edge: a device or log that throws ends its own tunnel, in order and with the error; a
 * script runner that throws is a script that failed.
 */
import { errorMessage, type Logger, nullLogger, OpenVpnError, type PacketBatch } from '../base/base.ts';
import { M_WARN } from '../base/errlevel.ts';
import type { ScriptRunner } from '../script/script.ts';
import type { TunDevice, TunFactory } from '../tun/tun.ts';

/** Told what threw, e.g. `the log`, and what. */
export type OnThrown = (what: string, cause: unknown) => void;

/** The error that a tunnel ends with. */
export function callbackError(what: string, cause: unknown): OpenVpnError {
  const why = errorMessage(cause);
  return new OpenVpnError(`${what} threw: ${why}`, 'ERR_OVPN_CALLBACK', { cause });
}

export function guardLog(log: Logger, thrown: OnThrown): Logger {
  return {
    enabled: (level) => {
      try {
        return log.enabled(level);
      } catch (error) {
        thrown('the log', error);
        return false;
      }
    },
    log: (level, text) => {
      try {
        log.log(level, text);
      } catch (error) {
        thrown('the log', error);
      }
    },
    child: (prefix) => {
      try {
        return guardLog(log.child(prefix), thrown);
      } catch (error) {
        thrown('the log', error);
        return nullLogger;
      }
    },
  };
}

export function guardScripts(scripts: ScriptRunner, log: Logger): ScriptRunner {
  return {
    name: scripts.name,
    run: async (command, args, env, signal) => {
      try {
        return await scripts.run(command, args, env, signal);
      } catch (error) {
        const why = errorMessage(error);
        log.log(M_WARN, `WARNING: the script runner ${scripts.name} threw: ${why}`);
        return { status: undefined, failure: 'fork' };
      }
    },
    ...(scripts.limit && { limit: (limits) => scripts.limit?.(limits) }),
  };
}

export function guardTun(factory: TunFactory, thrown: OnThrown): TunFactory {
  return { name: factory.name, open: (options) => new GuardedTun(factory.open(options), thrown) };
}

class GuardedTun implements TunDevice {
  readonly #inner: TunDevice;
  readonly #thrown: OnThrown;

  constructor(inner: TunDevice, thrown: OnThrown) {
    this.#inner = inner;
    this.#thrown = thrown;
  }

  get name(): string {
    return this.#inner.name;
  }

  get type(): TunDevice['type'] {
    return this.#inner.type;
  }

  get batchSize(): number {
    return this.#inner.batchSize;
  }

  get onReadable(): () => void {
    return this.#inner.onReadable;
  }

  set onReadable(listener: () => void) {
    this.#inner.onReadable = listener;
  }

  get onError(): (error: NodeJS.ErrnoException) => void {
    return this.#inner.onError;
  }

  set onError(listener: (error: NodeJS.ErrnoException) => void) {
    this.#inner.onError = listener;
  }

  pause(): void {
    this.#try('pause', () => this.#inner.pause());
  }

  resume(): void {
    this.#try('resume', () => this.#inner.resume());
  }

  readBatch(batch: PacketBatch): number {
    try {
      return this.#inner.readBatch(batch);
    } catch (error) {
      this.#thrown('readBatch() of the device', error);
      batch.count = 0;
      return 0;
    }
  }

  writeBatch(batch: PacketBatch, first: number, end: number): number {
    try {
      return this.#inner.writeBatch(batch, first, end);
    } catch (error) {
      this.#thrown('writeBatch() of the device', error);
      return 0;
    }
  }

  close(): void {
    this.#try('close', () => this.#inner.close());
  }

  #try(name: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#thrown(`${name}() of the device`, error);
    }
  }
}
