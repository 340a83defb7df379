/**
 * A TCP server that plays a proxy (or whatever else a client connects to): it notes what every connection
 * says and answers from a script, the n-th pause of the n-th connection with the n-th answer. A client may
 * say what it has to say in any number of pieces: it has paused when nothing came for a while.
 */
import { createServer, type Server, type Socket } from 'node:net';

/** One answer, bytes as latin1. */
export interface ProxyAnswer {
  readonly text: string;
  /** Said so many times in a row; 1 when left out. */
  readonly times?: number;
  /** Pause before each byte. */
  readonly trickleMs?: number;
  /** Hangs up afterwards. */
  readonly end?: boolean;
}

export interface ScriptedProxyOptions {
  readonly host: string;
  readonly port: number;
  /** Answers per connection; begins anew when there are more connections. */
  readonly script: readonly (readonly ProxyAnswer[])[];
}

const PAUSE_MS = 60;

export class ScriptedProxy {
  /** What each connection has said so far, as latin1. */
  readonly said: string[] = [];
  readonly #script: ScriptedProxyOptions['script'];
  readonly #server: Server;

  constructor({ script }: ScriptedProxyOptions) {
    this.#script = script;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  listen(port: number, host: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, resolve);
    });
  }

  #serve(socket: Socket): void {
    const index = this.said.push('') - 1;
    const answers = [...(this.#script[index % this.#script.length] ?? [])];
    let timer: NodeJS.Timeout | undefined;
    socket.on('error', () => socket.destroy());
    socket.on('close', () => clearTimeout(timer));
    socket.on('data', (bytes) => {
      this.said[index] += bytes.toString('latin1');
      clearTimeout(timer);
      timer = setTimeout(() => {
        const next = answers.shift();
        if (next !== undefined) void say(socket, next);
      }, PAUSE_MS);
    });
  }
}

async function say(socket: Socket, { text, times = 1, trickleMs, end }: ProxyAnswer): Promise<void> {
  const bytes = Buffer.from(text, 'latin1');
  for (let i = 0; i < times && socket.writable; i++) {
    for (const piece of trickleMs === undefined ? [bytes] : [...bytes].map((byte) => Buffer.of(byte))) {
      if (trickleMs !== undefined) await new Promise((resolve) => setTimeout(resolve, trickleMs));
      if (!socket.write(piece)) await drained(socket);
    }
  }
  if (end) socket.end();
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', resolve);
  });
}
