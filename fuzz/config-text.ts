/**
 * Fuzz entry: any bytes as a configuration file and as a client file of a server. They give options or an
 * OptionsError, the same each time; nothing is read but through the given files.
 */
import { OptionsError } from '../src/base/base.ts';
import { createConfigFilesMemory } from '../src/options/config-files-memory.ts';
import {
  cloneOptions,
  defaultOptions,
  formatOptionsError,
  parseClientConfig,
  parseConfig,
  splitCommand,
} from '../src/options/options.ts';

const CLIENT = 'client\ndev tun\nremote vpn.example 1194 udp\nca f\ncert f\nkey f\n';
const SERVER = 'server 10.8.0.0 255.255.255.0\ndev tun\nca f\ncert f\nkey f\ndh none\n';
const SEEDS = [
  CLIENT,
  SERVER,
  `${CLIENT}<ca>\n-----BEGIN\n</ca>\n<connection>\nremote a 1 tcp\n</connection>\nverify-x509-name "a b" name\n`,
  `${SERVER}push "route 10.0.0.0 255.0.0.0"\nkeepalive 10 60\nserver-ipv6 fd00::/64\nclient-config-dir d\n`,
  'setenv a \'b c\' # comment\n; comment\n\\ "quoted \\" text"\nconfig other.conf\n',
  'ifconfig-push 10.8.0.9 255.255.255.0\niroute 10.0.0.0\npush-reset\npush "echo x"\ndisable\n',
];
const files = createConfigFilesMemory({ 'other.conf': 'verb 5\nconfig other.conf\n', f: 'x', 'd/': '' });
/** Copied for each input, which is cheaper than making them anew. */
const DEFAULTS = defaultOptions();
const { options: serverOptions } = parseConfig(SERVER);

export const target = {
  name: 'config-text',
  corpus: SEEDS.map((text) => Buffer.from(text)),
  run(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('latin1');
    const first = parse(text);
    if (parse(text) !== first) throw new Error('parsed differently the second time');
    const before = JSON.stringify(serverOptions);
    const { options } = parseClientConfig(text, 'ccd/alice', cloneOptions(serverOptions), files);
    if (options === serverOptions || JSON.stringify(serverOptions) !== before) {
      throw new Error("a client's file changed the server's options");
    }
    if (splitCommand(text).length > text.length) throw new Error('more words than characters');
  },
};

function parse(text: string): string {
  try {
    const { options, tool } = parseConfig(text, { files, options: cloneOptions(DEFAULTS) });
    return JSON.stringify({ options, tool });
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    return formatOptionsError(error).lines.join('\n');
  }
}
