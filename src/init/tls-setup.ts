/**
 * From options to the keys and settings of the control channel (2.x do_init_crypto_tls(), init_ssl() of
 * init.c and ssl.c): certificate and key files, wraps, verification policy, options strings, peer info.
 */
import { release } from 'node:os';
import { CryptoError, OpenVpnError } from '../base/base.ts';
import { compressionPeerInfo } from '../comp/comp.ts';
import {
  type CryptoBackend,
  type DigestInfo,
  digestInfo,
  type Key2,
  type ReplayMemory,
  readPemKey,
  readStaticKey,
  TLS_CRYPT_V2_SERVER_KEY,
} from '../crypto/crypto.ts';
import {
  type ConnectionEntry,
  epochAllowed,
  type FileOrInline,
  isTcp,
  OPENVPN_VERSION,
  type Options,
  optionsString,
} from '../options/options.ts';
import {
  type ControlWrap,
  createNoWrap,
  createTlsAuthWrap,
  createTlsCryptV2ClientWrap,
  createTlsCryptWrap,
  readClientKeyFile,
  type TlsCryptOptions,
  TlsCryptV2ServerKey,
  withClientKeys,
} from '../reliable/reliable.ts';
import type { Hooks } from '../script/script.ts';
import { type Credentials, defaultPeerInfo, type TlsMultiConfig, type VerifyPolicy } from '../ssl/ssl.ts';
import { readText } from './file-text.ts';
import type { Providers } from './init.ts';
import type { TlsMaterials } from './tls-materials.ts';

/** Peers without TLS have static keys, or no keys at all. */
export function usesTls(options: Options): boolean {
  return options.tlsServer || options.tlsClient;
}

/** Bytes of IP and UDP (or TCP) header that count into a control packet's size. */
export const LINK_OVERHEAD = { 4: 28, 6: 48 } as const;

/** The digest of --auth, undefined for `none`. Throws CryptoError when there is no such digest. */
export function checkDigest(auth: string, crypto: CryptoBackend): DigestInfo | undefined {
  const digest = auth === 'none' ? undefined : digestInfo(auth);
  if (auth !== 'none' && (!digest || !crypto.supportsDigest(digest)))
    throw new CryptoError(`Message hash algorithm '${auth}' not found`);
  return digest;
}

/** The wrap of control packets that the profile asks for. Throws OptionsError for a bad key. */
export function createWrap(
  options: Options,
  ce: ConnectionEntry,
  providers: Providers,
  replayMemory?: ReplayMemory,
): ControlWrap {
  const tlsCryptV2 = ce.tlsCryptV2 ?? options.tlsCryptV2;
  const { crypto } = providers;
  const { replayWindow, replaySec } = options;
  const common = { crypto, replayWindow, replaySec, replayMemory };
  if (!tlsCryptV2) return createSharedWrap(options, ce, common);
  const text = readText(tlsCryptV2, 'tls-crypt-v2');
  if (options.tlsServer) {
    const key = readServerKey(text);
    const { tlsCryptV2ForceCookie: forceCookie } = ce;
    const clientKeys = new TlsCryptV2ServerKey({ key, forceCookie, ...common });
    key.fill(0);
    return withClientKeys(createSharedWrap(options, ce, common), clientKeys);
  }
  const { key2, wrapped } = readClientKeyFile(text);
  const wrap = createTlsCryptV2ClientWrap({ key2, wrapped, ...common });
  key2.fill(0);
  return wrap;
}

/** The 128 bytes of a tls-crypt-v2 server key file. The caller zeroes them. */
export function readServerKey(text: string): Uint8Array {
  return readPemKey(text, TLS_CRYPT_V2_SERVER_KEY);
}

/** The wrap whose key all peers share. */
function createSharedWrap(
  options: Options,
  ce: ConnectionEntry,
  common: Omit<TlsCryptOptions, 'key2' | 'role'>,
): ControlWrap {
  const tlsCrypt = ce.tlsCrypt ?? options.tlsCrypt;
  const tlsAuth = ce.tlsAuth ?? options.tlsAuth;
  if (tlsCrypt) {
    const role = options.tlsServer ? 'server' : 'client';
    return withStaticKey(tlsCrypt, 'tls-crypt', 2, (key2) => createTlsCryptWrap({ key2, role, ...common }));
  }
  if (tlsAuth) {
    const digest = digestInfo(options.auth);
    if (!digest || digest.bytes === 0) {
      throw new OpenVpnError(
        `ERROR: tls-auth enabled, but no valid --auth algorithm specified ('${options.auth}')`,
      );
    }
    const direction = ce.keyDirection === -1 ? undefined : ce.keyDirection;
    const keys = direction === undefined ? 1 : 2;
    return withStaticKey(tlsAuth, 'tls-auth', keys, (key2) =>
      createTlsAuthWrap({ key2, direction, digest, ...common }),
    );
  }
  return createNoWrap();
}

/** Reads a static key for the time of `use`, which copies what it keeps. */
function withStaticKey(
  value: FileOrInline,
  option: 'tls-auth' | 'tls-crypt',
  keys: 1 | 2,
  use: (key2: Key2) => ControlWrap,
): ControlWrap {
  const file = value.kind === 'file' ? value.path : '[[INLINE]]';
  const key2 = readStaticKey(readText(value, option), { file, option, keys });
  try {
    return use(key2);
  } finally {
    key2.fill(0);
  }
}

function verifyPolicy(options: Options, materials: TlsMaterials, hooks: Hooks): VerifyPolicy {
  return {
    chain: options.ca !== undefined || options.capath !== undefined || options.pkcs12 !== undefined,
    verifyScript: hooks.handles('tlsVerify'),
    clientCert: options.tlsServer ? options.verifyClientCert : 'require',
    x509UsernameField: options.x509UsernameField,
    ...(options.remoteCertKu && { remoteCertKu: options.remoteCertKu }),
    ...(options.remoteCertEku !== undefined && { remoteCertEku: options.remoteCertEku }),
    ...(options.nsCertType && { nsCertType: options.nsCertType }),
    ...(options.verifyX509Name && { verifyX509Name: options.verifyX509Name }),
    ...(options.verifyHash && { verifyHash: options.verifyHash }),
    ...(materials.revocation && { revocation: materials.revocation }),
    ...(options.peerFingerprints && { peerFingerprints: options.peerFingerprints }),
  };
}

export interface TlsSetup {
  readonly options: Options;
  readonly ce: ConnectionEntry;
  readonly materials: TlsMaterials;
  readonly wrap: ControlWrap;
  /** Family of the link's addresses. */
  readonly family: 4 | 6;
  readonly providers: Providers;
  readonly hooks: Hooks;
  readonly credentials?: () => Credentials | 'pending' | undefined;
  /** `NAME=value` lines of the environment, for IV_GUI_VER and UV_*. */
  readonly env?: readonly string[];
  /** For --push-peer-info: `aa:bb:cc:dd:ee:ff`. */
  readonly hardwareAddress?: string | undefined;
}

/** All of a control channel's configuration but what belongs to one peer. */
export function tlsMultiConfig(setup: TlsSetup): Omit<TlsMultiConfig, 'address' | 'log' | 'wake'> {
  const { options, ce, materials, wrap, family, providers, hooks, credentials } = setup;
  const server = options.mode === 'server';
  return {
    role: options.tlsServer ? 'server' : 'client',
    p2mp: server || options.pull,
    crypto: providers.crypto,
    ssl: materials.context,
    wrap,
    verify: verifyPolicy(options, materials, hooks),
    localOptions: optionsString({ options, ce, remote: false }),
    remoteOptions: optionsString({ options, ce, remote: true }),
    compressMigrate: server && options.compress.migrate,
    occ: options.occ,
    peerInfo: server ? () => '' : () => peerInfoText(setup),
    ...(credentials && { credentials }),
    needCredentials: hooks.handles('authUserPassVerify') && !options.authUserPassOptional,
    deferAuth: hooks.handles('authUserPassVerify'),
    optVerify: options.optVerify,
    usernameAsCommonName: options.usernameAsCommonName,
    deferVerify: hooks.handles('tlsVerify') || options.tlsExportCert !== undefined,
    deferClientKey: hooks.handles('tlsCryptV2Verify'),
    clientKeyMaxDays: options.tlsCryptV2MaxAge,
    // 0 would mean to send again and again without a pause.
    tlsTimeoutMs: Math.max(1, options.tlsTimeout) * 1000,
    handWindowMs: options.handWindow * 1000,
    transitionWindowMs: options.tranWindow * 1000,
    renegMs: options.renegSec * 1000,
    renegBytes: options.renegBytes ?? -1,
    renegPackets: options.renegPkts,
    tlsMtu: ce.maxPacketSize,
    linkOverheadBytes: LINK_OVERHEAD[family],
    tcp: isTcp(ce.proto),
    singleSession: options.singleSession,
    replayWindow: options.replayWindow,
    replaySec: options.replaySec,
    clock: providers.clock,
  };
}

function peerInfoText({ options, ce, providers, env = [], hardwareAddress }: TlsSetup): string {
  return defaultPeerInfo({
    version: OPENVPN_VERSION,
    platform: 'linux',
    pull: options.pull,
    ciphers: options.dataCiphers.split(':'),
    tunMtuMax: ce.tunMtuMax,
    compression: compressionPeerInfo(options.compress, providers.comp),
    epoch: epochAllowed(options),
    env,
    ...(options.pushPeerInfo && {
      push: {
        ssl: `OpenSSL ${process.versions.openssl}`,
        platformVersion: release(),
        ...(hardwareAddress !== undefined && { hwaddr: hardwareAddress }),
      },
    }),
  });
}
