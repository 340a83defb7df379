/**
 * Fuzz entry: any text as PUSH_UPDATE of a server to a client that is connected. Nothing throws, and a
 * reconnect brings back what the configuration said.
 */
import { type Options, parseConfig, restorePrePull } from '../src/options/options.ts';
import { applyPushUpdate } from '../src/options/update.ts';
import { addressChanges, buildPushUpdates } from '../src/push/push.ts';

const CONFIG =
  'client\ndev tun\nremote vpn.example\nca f\ncert f\nkey f\nroute 10.7.0.0 255.255.0.0\nping 10\n';

export const target = {
  name: 'push-update',
  executions: 500,
  run(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('utf8').replace(/\0/g, ',');
    addressChanges(text);
    for (const message of buildPushUpdates(text) ?? []) {
      if (Buffer.byteLength(message) >= 1024) throw new Error(`message of ${message.length} bytes`);
    }
    const { options } = parseConfig(CONFIG);
    const before = configured(options);
    applyPushUpdate(options, text.split(','));
    restorePrePull(options);
    if (configured(options) !== before) throw new Error('an update outlived its connection');
  },
};

function configured({ routes, routesIpv6, redirectGateway, dhcpOptions, dns, ping }: Options): string {
  return JSON.stringify({ routes, routesIpv6, redirectGateway, dhcpOptions, dns, ping });
}
