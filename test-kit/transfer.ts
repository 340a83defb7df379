/**
 * Traffic through a tunnel: agents (see agent.ts) inside namespaces that move checked data, relay and flood,
 * and pings with counts by the ping program.
 */
import { fileURLToPath } from 'node:url';
import type { AgentRequest } from './agent.ts';
import { Program } from './process.ts';

/** Result of a row of pings. */
export interface PingResult {
  readonly sent: number;
  readonly received: number;
  /** Numbers of the pings without answer, from 1. */
  readonly lost: readonly number[];
}

export interface PingOptions {
  readonly count?: number;
  /** Once anything was answered, ping waits no longer than this for the last answer. */
  readonly intervalSec?: number;
  /** Wait for each answer, in seconds. */
  readonly waitSec?: number;
  readonly sizeBytes?: number;
  /**
   * For answers that must come: ping goes on until the first `count` of them are there, for so many seconds more at most.
   * Without, it gives the last one twice the time of the others: too little on a busy machine, or a link that reorders.
   */
  readonly patienceSec?: number;
}

// Beside this file under whichever name it was started: .ts as source, .js as built tool.
const AGENT = fileURLToPath(
  new URL(`./agent${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
);
const ANSWER_LIMIT_MS = 60_000;

/** A helper process in one namespace. */
export class Agent {
  #program: Program;
  #nextId = 1;

  constructor(ns: string) {
    this.#program = new Program({ name: `agent ${ns}`, argv: [process.execPath, AGENT], ns });
  }

  /** Asks and waits for the answer. Rejects with the agent's error text. */
  async ask(request: AgentRequest): Promise<unknown> {
    const id = this.#nextId++;
    this.#program.write(`${JSON.stringify({ id, ...request })}\n`);
    const line = await this.#program.waitFor(new RegExp(`^\\{"id":${id},`), ANSWER_LIMIT_MS);
    const answer = JSON.parse(line) as { ok: boolean; value: unknown; error?: string };
    if (!answer.ok) throw new Error(`${request.do}: ${answer.error}`);
    return answer.value;
  }

  /** Moves `bytes` each way to an agent that serves at host and port; every byte must arrive as it was sent. */
  async transfer(host: string, port: number, bytes: number): Promise<number> {
    return Number(await this.ask({ do: 'transfer', host, port, bytes }));
  }

  async close(): Promise<void> {
    await this.#program.stop('SIGKILL');
  }
}

/** Pings `host` from `ns`. Never rejects for lost answers: look at the counts. */
export async function ping(ns: string, host: string, options: PingOptions = {}): Promise<PingResult> {
  const { count = 3, intervalSec = 0.2, waitSec = 2, sizeBytes = 56, patienceSec } = options;
  // Short intervals are rounded up to the kernel's ticks.
  const limitSec = Math.ceil(count * intervalSec * 2 + (patienceSec ?? waitSec + 10));
  const end = patienceSec === undefined ? ['-c', `${count}`, '-W', `${waitSec}`] : ['-w', `${limitSec}`];
  const argv = ['ping', '-n', '-i', `${intervalSec}`, '-s', `${sizeBytes}`, ...end, host];
  const program = new Program({ name: 'ping', argv, ns });
  try {
    if (patienceSec === undefined) await program.waitForExit(limitSec * 1_000);
    else await waitForAnswers(program, count, (limitSec + 10) * 1_000);
  } finally {
    await program.stop('SIGINT');
  }
  const found = /(\d+) packets transmitted/.exec(program.lines.join('\n'));
  const sent = Math.min(Number(found?.[1] ?? count), count);
  const answered = new Set(program.lines.map((line) => Number(/icmp_seq=(\d+) .*time=/.exec(line)?.[1])));
  const lost = Array.from({ length: sent }, (_, i) => i + 1).filter((number) => !answered.has(number));
  return { sent, received: sent - lost.length, lost };
}

/** Until the first `count` answers are there, or ping has ended without them. */
async function waitForAnswers(program: Program, count: number, limitMs: number): Promise<void> {
  for (let number = 1; number <= count && program.ended === undefined; number++)
    await program.waitFor(new RegExp(`icmp_seq=${number} .*time=`), limitMs).catch(() => undefined);
}
