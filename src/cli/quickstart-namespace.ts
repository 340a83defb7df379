/**
 * A network namespace with one veth pair, so that a client on the same machine is really somewhere else:
 *
 *   this machine  ovqh<pid> 198.18.x.1/30 ---- 198.18.x.2/30 ovqc<pid>  namespace ovq-<pid>
 *
 * Names carry the process id. What a killed run left behind is found by it and removed at the next start.
 */
import { spawnSync } from 'node:child_process';
import { OpenVpnError } from '../base/base.ts';
import { mustRun, runCommand } from './quickstart-process.ts';
import { type Ipv4Network, overlapsAny } from './quickstart-subnet.ts';

export interface Namespace {
  readonly name: string;
  /** This machine's address as seen from inside. */
  readonly hostAddress: string;
  /** Words to put in front of a command that is to run inside. */
  readonly prefix: readonly string[];
  remove(): Promise<void>;
  /** For the last moment of the process, when nothing can be awaited. */
  removeNow(): void;
}

/** Networks for the veth pair: 198.18.0.0/15 is set aside for tests inside one machine (RFC 2544). */
const LINKS = Array.from({ length: 32 }, (_, i) => `198.18.${i * 8}.`);

/** Rejects with OpenVpnError, everything removed, when the system doesn't allow it. */
export async function createNamespace(taken: readonly Ipv4Network[]): Promise<Namespace> {
  await removeStale();
  const link = LINKS.find((start) => !overlapsAny(`${start}0`, 30, taken));
  if (link === undefined) throw new OpenVpnError('no free network for the link to the client');
  const name = `ovq-${process.pid}`;
  const [host, inside] = [`ovqh${process.pid}`, `ovqc${process.pid}`];
  const removal = [
    ['link', 'del', host],
    ['netns', 'del', name],
  ];
  const namespace: Namespace = {
    name,
    hostAddress: `${link}1`,
    prefix: ['ip', 'netns', 'exec', name],
    remove: async () => {
      for (const args of removal) await runCommand('ip', args);
    },
    removeNow: () => {
      for (const args of removal) spawnSync('ip', args, { stdio: 'ignore', timeout: 5000 });
    },
  };
  try {
    await mustRun('ip', ['netns', 'add', name]);
    await mustRun('ip', ['link', 'add', host, 'type', 'veth', 'peer', 'name', inside, 'netns', name]);
    await mustRun('ip', ['addr', 'add', `${link}1/30`, 'dev', host]);
    await mustRun('ip', ['link', 'set', host, 'up']);
    await mustRun('ip', ['-n', name, 'addr', 'add', `${link}2/30`, 'dev', inside]);
    await mustRun('ip', ['-n', name, 'link', 'set', inside, 'up']);
    await mustRun('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    return namespace;
  } catch (error) {
    await namespace.remove();
    throw error;
  }
}

/** Removes namespaces whose process is gone. */
async function removeStale(): Promise<void> {
  const { stdout } = await runCommand('ip', ['netns', 'list']);
  for (const [, pid] of stdout.matchAll(/^ovq-(\d+)\b/gm)) {
    if (isAlive(Number(pid))) continue;
    await runCommand('ip', ['link', 'del', `ovqh${pid}`]);
    await runCommand('ip', ['netns', 'del', `ovq-${pid}`]);
  }
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
