/**
 * Rules of the house that no ready-made tool knows, one function each; every function returns the broken
 * cases as texts.
 *
 *   sizes    no source over 400 lines but those that are named here, no test over 700
 *   headers  every source file but a unit test opens with a comment that says what it is
 *   portMap  docs/port-map.md has one row per C file of OpenVPN 2.x, and its places exist
 *   lockFile every package of package-lock.json has a hash, and none an address of a registry
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

const LINE_LIMIT = 400;
const TEST_LINE_LIMIT = 700;
const TEST = /[.-](test|conformance)\.ts$/;
/** Sources that are longer, with the lines that they may have: nobody may be added, and what shrinks stays so. */
const LONGER = new Map([
  ['compat-tests/bed.ts', 410],
  ['native/tls_session.cc', 590],
  ['native/udp.cc', 660],
  ['src/forward/data-channel.ts', 530],
  ['src/init/client.ts', 580],
  ['src/multi/multi-connect.ts', 510],
  ['src/multi/multi-server.ts', 450],
  ['src/native/native.ts', 410],
  ['src/ssl/key-state.ts', 520],
  ['src/ssl/tls-multi.ts', 560],
  ['src/ssl/x509-der.ts', 430],
]);
const CODE = /\.(ts|mjs|cjs|cc|h)$/;
const HEADED_FOLDERS = ['src', 'native', 'test-kit', 'compat-tests', 'bench', 'fuzz', 'scripts', 'examples'];

/** src/openvpn/*.c of OpenVPN 2.6 and 2.7, without the ending. */
const C_FILES = `
argv auth_token base64 buffer clinat comp comp-lz4 compstub console console_builtin console_systemd
crypto crypto_epoch crypto_mbedtls crypto_openssl cryptoapi dco dco_freebsd dco_linux dco_win dhcp dns
env_set error event fdmisc forward fragment gremlin helper httpdigest init interval list lladdr lzo
manage mbuf misc mroute mss mstats mtcp mtu mudp multi multi_io networking_freebsd networking_iproute2
networking_sitnl ntlm occ openvpn options options_parse options_show options_string options_util otime
packet_id perf ping pkcs11 pkcs11_mbedtls pkcs11_openssl platform plugin pool proto proxy ps push
push_util reflect_filter reliable route run_command schedule session_id shaper sig socket socket_util
socks ssl ssl_mbedtls ssl_ncp ssl_openssl ssl_pkt ssl_util ssl_verify ssl_verify_mbedtls
ssl_verify_openssl status tls_crypt tun tun_afunix vlan win32 win32-util xkey_helper xkey_provider
`
  .trim()
  .split(/\s+/)
  .map((name) => `${name}.c`);

export const rules = { sizes, headers, portMap, lockFile };

function sizes() {
  return filesIn(HEADED_FOLDERS).flatMap((path) => {
    const lines = readFileSync(join(root, path), 'utf8').split('\n').length - 1;
    const limit = TEST.test(path) ? TEST_LINE_LIMIT : (LONGER.get(path) ?? LINE_LIMIT);
    return lines > limit ? [`${path}: ${lines} lines, ${limit} are allowed`] : [];
  });
}

function headers() {
  const sources = filesIn(HEADED_FOLDERS).filter((path) => !path.endsWith('.test.ts'));
  return sources.flatMap((path) => {
    const text = readFileSync(join(root, path), 'utf8').replace(/^#!.*\n/, '');
    return /^(\/\*\*?|\/\/)/.test(text.trimStart()) ? [] : [`${path}: no opening comment`];
  });
}

function portMap() {
  const path = join(root, 'docs', 'port-map.md');
  if (!existsSync(path)) return ['docs/port-map.md is missing'];
  const rows = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => /^\|\s*`?[\w-]+\.c`?\s*\|/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
  const named = rows.map((row) => row[1]);
  const missing = C_FILES.filter((name) => !named.includes(name)).map(
    (name) => `port map: no row for ${name}`,
  );
  const double = named
    .filter((name, i) => named.indexOf(name) !== i)
    .map((name) => `port map: two rows for ${name}`);
  const wrong = rows.flatMap((row) => (row[2] ?? '').match(/\b(src|native|scripts|bin)\/[\w./-]*\w/g) ?? []);
  const gone = wrong
    .filter((place) => !existsSync(join(root, place)))
    .map((place) => `port map: no ${place}`);
  return [...missing, ...double, ...gone];
}

function lockFile() {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const settings = readFileSync(join(root, '.npmrc'), 'utf8');
  const set = /^omit-lockfile-registry-resolved=true$/m.test(settings);
  return [
    ...lockProblems(lock),
    ...(set ? [] : ['.npmrc: omit-lockfile-registry-resolved=true is missing: npm would write addresses']),
  ];
}

/** What a lock file lets in unchecked: a package without a hash may be any file of that name. */
export function lockProblems(lock) {
  return Object.entries(lock.packages ?? {}).flatMap(([place, { integrity, resolved, inBundle }]) => {
    if (place === '') return [];
    const problems = [];
    // A package inside another one's archive is covered by that one's hash.
    if (!inBundle && !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ''))
      problems.push(`package-lock.json: ${place} has no SHA-512 integrity`);
    if (resolved !== undefined) problems.push(`package-lock.json: ${place} has an address (resolved)`);
    return problems;
  });
}

function filesIn(folders) {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, String(name))),
    )
    .filter((path) => CODE.test(path) && !path.includes('node_modules'));
}
