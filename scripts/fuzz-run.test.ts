/** `npm run fuzz` as a program: an entry that can't reach its target has failed. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** The first run translates the sources. */
const LIMIT_MS = 300_000;

function fuzz(env: Readonly<Record<string, string>>) {
  const args = ['scripts/tools.mjs', 'fuzz/run.ts', 'segments', '--seconds', '0.2', '--seed', '1'];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, ...env } });
}

describe('npm run fuzz', () => {
  it('reaches the addon, and fails with the reason where it can not', { timeout: LIMIT_MS }, () => {
    const good = fuzz({});
    expect(good.stdout).toMatch(/^segments: \d+ executions .*: ok\nfuzz: 1 passed, 0 failed\n$/);
    expect(good.status).toBe(0);
    for (const [env, why] of [
      [{ OPENVPN_TS_NATIVE: '0' }, 'turned off by OPENVPN_TS_NATIVE=0'],
      [{ OPENVPN_TS_ADDON: '/nonexistent.node' }, "does not load: Cannot find module '/nonexistent.node'"],
    ] as const) {
      const { status, stdout } = fuzz(env);
      expect(stdout).toContain("segments: FAILED: it can't reach its target: native tests need the addon:");
      expect(stdout).toContain(why);
      expect(stdout).toMatch(/^fuzz: 0 passed, 1 failed$/m);
      expect(status).toBe(1);
    }
  });
});
