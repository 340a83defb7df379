/**
 * Fuzz entry: any text as pushed options of a client. Bad ones are logged, never thrown; the same push has
 * the same effect again; and what was pulled is undone before the next connection.
 */
import {
  applyPulledOptions,
  cloneOptions,
  finishPull,
  parseConfig,
  restorePrePull,
} from '../src/options/options.ts';
import { replaceControlCharacters } from '../src/ssl/key-method-2.ts';

const { options: base } = parseConfig(
  'client\ndev tun\nremote 192.0.2.1\nca f\ncert f\nkey f\npull-filter ignore "route 10."\nroute 10.1.0.0\n',
);
const PUSHES = [
  'route 10.1.0.0 255.255.0.0,route-gateway 10.8.0.1,topology subnet,ping 10,ping-restart 60,ifconfig 10.8.0.2 255.255.255.0,peer-id 0,cipher AES-256-GCM,protocol-flags cc-exit tls-ekm dyn-tls-crypt,tun-mtu 1500',
  'dhcp-option DNS 10.8.0.1,dhcp-option DOMAIN vpn.example,dns server 1 address 10.8.0.1 [fd00::1]:53,dns search-domains a.example b.example,ifconfig-ipv6 fd00::2/64 fd00::1,route-ipv6 fd01::/48,redirect-gateway def1 ipv6',
  'explicit-exit-notify 2,inactive 60 1000,auth-token abc,auth-token-user YQ==,setenv-safe a b,echo x,sndbuf 1000,socket-flags TCP_NODELAY,route-metric 3,block-outside-dns,persist-tun,comp-lzo no,compress stub-v2,push-continuation 2',
];

export const target = {
  name: 'pulled-options',
  executions: 500,
  corpus: PUSHES.map((text) => Buffer.from(text)),
  run(bytes: Uint8Array): void {
    // The control channel lets no message with control characters through.
    const text = replaceControlCharacters(Buffer.from(bytes).toString('utf8'));
    const items = text.split(',');
    const options = cloneOptions(base);
    restorePrePull(options);
    const before = JSON.stringify(options);
    const first = pull(options, items);
    restorePrePull(options);
    const undone = JSON.stringify(options);
    const second = pull(options, items);
    if (second !== first) throw new Error(`the same push had another effect\n${first}\n${second}`);
    if (pulledParts(undone) !== pulledParts(before))
      throw new Error('pulled options outlived their connection');
  },
};

/** All that the push brought, as text. */
function pull(options: typeof base, items: readonly string[]): string {
  const applied = applyPulledOptions(options, items);
  const finished = finishPull(options, applied.imports);
  for (const { text } of [...applied.messages, ...finished.messages]) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    if (/[\x00-\x08\x0b-\x1f]/.test(text)) throw new Error(`a control character in a log line: ${text}`);
  }
  return JSON.stringify({ options, restart: applied.restart, ok: finished.ok });
}

/** What must not stay. Addresses may, as in 2.x: a push without them is no use anyway. */
function pulledParts(json: string): string {
  const { routes, routesIpv6, dhcpOptions, dns, redirectGateway } = JSON.parse(json) as typeof base;
  return JSON.stringify({ routes, routesIpv6, dhcpOptions, dns, redirectGateway });
}
