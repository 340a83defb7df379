/**
 * Traffic through a tunnel: agents (see agent.ts) inside namespaces that move checked data, relay and flood,
 * and pings with counts by the ping program.
 */
import { fileURLToPath } from 'node:url';
import type { AgentRequest } from './agent.ts';
import { Program, runProgram } from './process.ts';

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
  const { count = 3, intervalSec = 0.2, waitSec = 2, sizeBytes = 56 } = options;
  const numbers = ['-c', `${count}`, '-i', `${intervalSec}`, '-W', `${waitSec}`, '-s', `${sizeBytes}`];
  // Short intervals are rounded up to the kernel's ticks.
  const limitMs = (count * intervalSec * 2 + waitSec + 10) * 1_000;
  const program = await runProgram({ name: 'ping', argv: ['ping', '-n', ...numbers, host], ns }, limitMs);
  const found = /(\d+) packets transmitted, (\d+) received/.exec(program.lines.join('\n'));
  const sent = Number(found?.[1] ?? count);
  const answered = new Set(program.lines.map((line) => Number(/icmp_seq=(\d+) .*time=/.exec(line)?.[1])));
  const lost = Array.from({ length: sent }, (_, i) => i + 1).filter((number) => !answered.has(number));
  return { sent, received: Number(found?.[2] ?? 0), lost };
}
