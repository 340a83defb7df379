/** The choice of the TLS engine; which backends exist is up to the machine. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { nullLogger } from '../base/base.ts';
import { nativeMissingReason } from '../native/native.ts';
import { createProviders } from './providers.ts';

const log = nullLogger;
const hasAddon = nativeMissingReason() === undefined;

describe('TLS engine of createProviders()', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('is the addon where it loads, node:tls elsewhere', () => {
    vi.stubEnv('OPENVPN_TS_SSL', '');
    expect(createProviders({ log }).ssl.name).toBe(hasAddon ? 'native' : 'node:tls');
    expect(createProviders({ log, native: false }).ssl.name).toBe('node:tls');
  });

  it('follows the environment, and the option before it', () => {
    vi.stubEnv('OPENVPN_TS_SSL', 'node');
    expect(createProviders({ log }).ssl.name).toBe('node:tls');
    vi.stubEnv('OPENVPN_TS_SSL', 'native');
    expect(createProviders({ log, ssl: 'node' }).ssl.name).toBe('node:tls');
  });

  it('is never another one than asked for', () => {
    expect(() => createProviders({ log, native: false, ssl: 'native' })).toThrow(
      "the native TLS engine can't be used: ",
    );
    vi.stubEnv('OPENVPN_TS_SSL', 'openssl');
    expect(() => createProviders({ log })).toThrow("OPENVPN_TS_SSL must be node or native, not 'openssl'");
  });

  it('is the one that the caller brings', () => {
    const ssl = createProviders({ log, native: false }).ssl;
    vi.stubEnv('OPENVPN_TS_SSL', 'openssl');
    expect(createProviders({ log }, { ssl }).ssl).toBe(ssl);
  });
});
