/**
 * What the program knows about itself: version, platform and TLS library.
 */
import { readFileSync } from 'node:fs';
import { bannerFeatures } from '../init/init.ts';
import type { VersionInfo } from '../options/options.ts';

const MACHINES: Readonly<Record<string, string>> = {
  x64: 'x86_64',
  arm64: 'aarch64',
  ia32: 'i686',
  arm: 'arm',
};

export function versionInfo(): VersionInfo {
  const machine = MACHINES[process.arch] ?? process.arch;
  return {
    target: `${machine}-pc-${process.platform === 'linux' ? 'linux-gnu' : process.platform}`,
    appVersion: packageVersion(),
    sslLibrary: `OpenSSL ${process.versions.openssl}`,
    features: bannerFeatures(),
  };
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
