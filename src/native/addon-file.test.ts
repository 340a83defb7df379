/** Files that can't be used as the addon are told by name, and never end the process. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { loadAddonFile } from './addon-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'ovpn-addon-'));
const file = join(dir, 'openvpn_native.node');
afterAll(() => rmSync(dir, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

describe('the file that OPENVPN_TS_ADDON names', () => {
  it('is the only one tried', () => {
    vi.stubEnv('OPENVPN_TS_ADDON', join(dir, 'none.node'));
    expect(loadAddonFile(() => undefined)).toMatchObject({
      reason: expect.stringMatching(
        /^the C\+\+ addon does not load: Cannot find module .*OPENVPN_TS_ADDON names\)$/,
      ),
    });
  });

  it('is refused when it is something else', () => {
    writeFileSync(file, 'no library');
    vi.stubEnv('OPENVPN_TS_ADDON', file);
    expect(loadAddonFile(() => undefined)).toMatchObject({
      reason: expect.stringMatching(/^the C\+\+ addon does not load: .*(too short|invalid ELF header)/),
    });
  });
});

describe('the addon of this checkout', () => {
  it('is found, and refused with the command that builds it when it is of another build', () => {
    expect(loadAddonFile(() => undefined)).toHaveProperty('addon.abi');
    expect(loadAddonFile(() => 'abi')).toEqual({
      reason: 'the C++ addon is of another build (abi differs) (run: node scripts/install.mjs)',
    });
  });
});
