/** Grammar of argv, config files, blocks and switches, against facts checked with the 2.6.14 binary. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OptionsError } from '../base/base.ts';
import type { LogLine } from './config-error.ts';
import { createConfigFilesMemory } from './config-files-memory.ts';
import { type ParseEnvironment, parseArgv, parseConfig } from './parse.ts';

const CLIENT = 'client\ndev tun\nremote vpn.example\nca ca.crt\ncert c.crt\nkey c.key\n';
const CLIENT_ARGS = '--client --dev tun --remote h --ca f --cert f --key f'.split(' ');

function errorOf(action: () => unknown): string {
  try {
    action();
    return 'none';
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    return error.message;
  }
}
const configError = (text: string, environment: ParseEnvironment = {}): string =>
  errorOf(() => parseConfig(text, { fileName: 'F', ...environment }));
const client = (more: string) => parseConfig(CLIENT + more, { fileName: 'F' });
const texts = (messages: readonly LogLine[]) => messages.map((line) => line.text);

describe('command line', () => {
  it('asks for help without words', () => {
    expect(parseArgv([]).tool).toBe('help');
  });

  it('takes one word without dashes as a config file', () => {
    const { options } = parseArgv(['x.conf'], {
      files: createConfigFilesMemory({
        'x.conf': CLIENT,
        'ca.crt': '',
        'c.crt': '',
        'c.key': '',
        '/tmp/': '',
      }),
    });
    expect(options).toMatchObject({ config: 'x.conf', client: true });
  });

  it.each([
    [
      ['x.conf', '--verb', '3'],
      `I'm trying to parse "x.conf" as an --option parameter but I don't see a leading '--'`,
    ],
    [['-v'], 'In [CMD-LINE]:1: Error opening configuration file: -v'],
    [['--'], 'Unrecognized option or missing or extra parameter(s) in [CMD-LINE]:1:  (2.6.14)'],
    [['--no-such'], 'Unrecognized option or missing or extra parameter(s) in [CMD-LINE]:1: no-such (2.6.14)'],
    [
      ['--echo', ...Array.from({ length: 16 }, (_, i) => `w${i + 1}`)],
      `I'm trying to parse "w16" as an --option parameter but I don't see a leading '--'`,
    ],
    [['--help', 'x'], '--help does not accept any parameters'],
  ])('refuses %j', (argv, message) => {
    expect(errorOf(() => parseArgv(argv))).toBe(message);
  });

  it('takes words as the shell gave them', () => {
    const { options } = parseArgv([...CLIENT_ARGS, '--setenv', 'x', 'a#"\\b']);
    expect(options.setenv).toEqual([{ name: 'x', value: 'a#"\\b' }]);
  });

  it('lets later settings win and keeps lists in order', () => {
    const { options } = parseArgv([
      ...CLIENT_ARGS,
      '--verb',
      '3',
      '--verb',
      '5',
      '--remote',
      'b',
      '1195',
      'tcp',
    ]);
    expect(options.verb).toBe(5);
    expect(options.connectionList.map((entry) => [entry.remote, entry.rport, entry.proto])).toEqual([
      ['h', '1194', 'udp'],
      ['b', '1195', 'tcp-client'],
    ]);
  });

  it('stops at --version', () => {
    expect(parseArgv(['--version', '--no-such']).tool).toBe('version');
  });
});

describe('config text', () => {
  it('strips dashes, skips a BOM and takes CRLF', () => {
    const { options } = parseConfig(`\uFEFF--verb 4\r\n${CLIENT}`);
    expect(options.verb).toBe(4);
  });

  it.each([
    ['-verb 3', 'Unrecognized option or missing or extra parameter(s) in F:1: -verb (2.6.14)'],
    ['\nverb', 'Unrecognized option or missing or extra parameter(s) in F:2: verb (2.6.14)'],
    ['Verb 3', 'Unrecognized option or missing or extra parameter(s) in F:1: Verb (2.6.14)'],
    ['iroute 10.0.0.0', "option 'iroute' cannot be used in this context (F)"],
    [
      'up a b',
      'the --up directive should have at most 1 parameter.  To pass a list of arguments as one of the parameters, try enclosing them in double quotes ("").',
    ],
    ['setenv GENERIC_CONFIG', 'this is a generic configuration and cannot directly be used'],
    ['verb "3', 'No closing quotation (") in F:1'],
    ['gremlin 1', '--gremlin is not supported by openvpn-ts yet'],
    ['config other', 'In F:1: Error opening configuration file: other'],
    [
      'proto sctp',
      `Bad protocol: 'sctp'. Allowed protocols with --proto option: [proto-uninitialized] [udp] [tcp-server] [tcp-client] [tcp] [udp4] [tcp4-server] [tcp4-client] [tcp4] [udp6] [tcp6-server] [tcp6-client] [tcp6]`,
    ],
    ['push "a,b"', "PUSH OPTION FAILED (illegal comma (',') in string): 'a,b'"],
    ['max-clients 99999999', '--max-clients must be less than 16777215'],
  ])('refuses %j', (line, message) => {
    expect(configError(line)).toBe(message);
  });

  it('allows 254 bytes a line and refuses 255', () => {
    const line = (length: number) => `echo ${'x '.repeat(200)}`.slice(0, length);
    expect(configError(`${line(254)}\n${CLIENT}`)).toBe('none');
    expect(configError(`${line(255)}\n`)).toMatch(
      /^In F:1: Maximum option line length \(256\) exceeded, line starts with echo x x/,
    );
  });

  it('keeps what came before an error', () => {
    const messages: LogLine[] = [];
    expect(() => parseConfig('ncp-ciphers AES-256-GCM\nbad\n', { messages })).toThrow();
    expect(texts(messages)).toEqual([
      "Note: Treating option '--ncp-ciphers' as  '--data-ciphers' (renamed in OpenVPN 2.5).",
    ]);
  });

  it.each([
    ['server x 255.0.0.0', ['RESOLVE: Cannot parse IP address: x: (Name or service not known)']],
    [
      'server-ipv6 1.2.3.4/64',
      ['RESOLVE: Cannot resolve host address: 1.2.3.4: (Address family for hostname not supported)'],
    ],
    ['server-ipv6 fd00::/x', ["IP prefix 'fd00::/x': invalid '/bits' spec (x)"]],
    ['dns server 1 address x:53', ['RESOLVE: Cannot parse IP address: x: (Name or service not known)']],
    ['dns server 1 address [fd00::1]', []],
  ])('says what is wrong with an address: %j', (line, expected) => {
    const messages: LogLine[] = [];
    expect(configError(line, { messages })).not.toBe('none');
    expect(texts(messages)).toEqual(expected);
  });

  it('takes /64 for an IPv6 network without bits', () => {
    const { options } = parseConfig('server-ipv6 fd00::\ndev tun\nca f\ncert f\nkey f\ndh none\n');
    expect(options.ifconfigIpv6).toEqual({ local: 'fd00::1', netbits: 64, remote: 'fd00::2' });
  });

  it('reads numbers like atoi', () => {
    expect(client('verb abc\nmute -4\nreneg-sec 12x').options).toMatchObject({
      verb: 0,
      mute: 0,
      renegSec: 12,
    });
  });
});

describe('inline blocks', () => {
  it('takes raw text up to the end tag', () => {
    const { options } = client('<ca>\r\n# x\n "y\n</ca> junk\nverb 7\n');
    expect(options.ca).toEqual({ kind: 'inline', text: '# x\n "y\n' });
    expect(options.verb).toBe(7);
  });

  it.each([
    ['<verb>\n3\n</verb>\n', "option 'verb' is not expected to be inline (F:1)"],
    ['<nope>\n</nope>\n', 'Unrecognized option or missing or extra parameter(s) in F:1: nope (2.6.14)'],
    ['<ca> x\n', 'Unrecognized option or missing or extra parameter(s) in F:1: <ca> (2.6.14)'],
    ['< ca >\n', 'Unrecognized option or missing or extra parameter(s) in F:1: < (2.6.14)'],
    ['<ca>\nabc\n', 'ERROR: Endtag </ca> missing'],
  ])('refuses %j', (text, message) => {
    expect(configError(text)).toBe(message);
  });

  it('counts the lines of a block', () => {
    expect(configError('<ca>\na\nb\n</ca>\nbad\n')).toContain('in F:5: bad');
  });

  it('takes the direction of an inline tls-auth key from key-direction', () => {
    const { options } = client('key-direction 1\n<tls-auth>\nkey\n</tls-auth>\n');
    expect(options.connectionList[0]).toMatchObject({
      keyDirection: 1,
      tlsAuth: { kind: 'inline', text: 'key\n' },
    });
  });

  it('treats [inline] as a file that a later block replaces', () => {
    expect(client('ca [inline]\n<ca>\nX\n</ca>\n').options.ca).toEqual({ kind: 'inline', text: 'X\n' });
  });
});

describe('connection blocks', () => {
  const BLOCK = '<connection>\nremote a 443 tcp\nconnect-timeout 9\n</connection>\n';

  it('makes one profile a block, from the settings so far', () => {
    const { options, messages } = client(
      `sndbuf 5\nfloat\n${BLOCK}port 99\n<connection>\nremote b\n</connection>\n`,
    );
    expect(
      options.connectionList.map(({ remote, rport, proto, connectTimeout, float }) => [
        remote,
        rport,
        proto,
        connectTimeout,
        float,
      ]),
    ).toEqual([
      ['a', '443', 'tcp-client', 9, true],
      ['b', '99', 'udp', 120, true],
    ]);
    expect(texts(messages)).toContain("Option 'port' in F:13 is ignored by previous <connection> blocks ");
  });

  it.each([
    [
      '<connection>\nverb 3\n</connection>\n',
      "option 'verb' cannot be used in this context ([CONNECTION-OPTIONS])",
    ],
    [
      '<connection>\nproto udp\n</connection>\n',
      "Each 'connection' block must contain exactly one 'remote' directive",
    ],
  ])('refuses %j', (text, message) => {
    expect(configError(text)).toBe(message);
  });

  it('takes keys inside a block', () => {
    const { options } = client('<connection>\nremote a\n<tls-crypt>\nK1\nK2\n</tls-crypt>\n</connection>\n');
    expect(options.connectionList[0]!.tlsCrypt).toEqual({ kind: 'inline', text: 'K1\nK2\n' });
  });

  it('accepts the plain option and does nothing', () => {
    expect(client('connection x y').options.connectionList).toHaveLength(1);
  });
});

describe('nesting and tolerance', () => {
  it('includes files where they stand', () => {
    const files = createConfigFilesMemory({
      a: 'verb 3\nconfig b\nmute 1\n',
      b: `verb 4\n${CLIENT.replaceAll('c.', 'a.')}`,
    });
    const { options } = parseConfig('config a\nca a\ncert a\nkey a\ntmp-dir a\n', { files });
    expect(options).toMatchObject({ verb: 4, mute: 1 });
  });

  it('stops at depth 10', () => {
    const files = createConfigFilesMemory({ a: 'config a\n' });
    expect(errorOf(() => parseArgv(['--config', 'a'], { files }))).toBe(
      'In a:1: Maximum recursive include levels exceeded in include attempt of file a -- probably you have a configuration file that tries to include itself.',
    );
  });

  it('reads standard input as a config', () => {
    const files = createConfigFilesMemory({}, {}, 'bad\n');
    expect(errorOf(() => parseArgv(['stdin'], { files }))).toContain('in stdin:1: bad');
  });

  it('changes directory at once', () => {
    const files = createConfigFilesMemory({});
    expect(errorOf(() => parseArgv(['--cd', '/none'], { files }))).toBe(
      "cd to '/none' failed: No such file or directory (errno=2)",
    );
  });

  it.each([
    ['ignore-unknown-option a --new\nnew 1 2\n', 'new'],
    ['setenv FORWARD_COMPATIBLE 1\nnew 1\n', 'new'],
    ['setenv opt new 1\n', 'new'],
    ['setenv opt\n', 'setenv opt'],
    ['setenv opt verb\n', 'verb'],
  ])('only warns after %j', (text, name) => {
    const warning = texts(client(text).messages).find((line) => line.startsWith('Unrecognized'));
    expect(warning).toMatch(new RegExp(`in F:\\d+: ${name} \\(2\\.6\\.14\\)$`));
  });

  it('runs the option behind setenv opt', () => {
    expect(client('setenv opt verb 6').options.verb).toBe(6);
  });

  it('does not soften bad values', () => {
    expect(configError('setenv opt proto sctp')).toContain("Bad protocol: 'sctp'");
  });

  it('tolerates a missing feature where unknown options are tolerated', () => {
    expect(texts(client('ignore-unknown-option gremlin\ngremlin 1\n').messages)).toContain(
      '--gremlin is not supported by openvpn-ts yet',
    );
  });
});

describe('scripts', () => {
  it('must be executable', () => {
    const messages: LogLine[] = [];
    expect(configError('up "/x a"', { files: createConfigFilesMemory({}), messages })).toBe(
      'Please correct this error.',
    );
    expect(texts(messages)).toEqual([
      "Options error: --up script fails with '/x': No such file or directory (errno=2)",
    ]);
  });

  it('warn when set twice', () => {
    expect(texts(client('up /a\nup /b\n').messages)).toContain(
      'Multiple --up scripts defined.  The previously configured script is overridden.',
    );
  });
});

describe('any text', () => {
  const word = fc.oneof(
    fc.constantFrom(
      'verb',
      'remote',
      '<ca>',
      '</ca>',
      'server',
      'push',
      'route',
      'setenv',
      'config',
      '"',
      "'",
      '\\',
    ),
    fc.string({ unit: 'binary', maxLength: 12 }),
  );
  const line = fc.array(word, { maxLength: 6 }).map((words) => words.join(' '));

  it('is parsed or refused with an OptionsError', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
        expect(configError(lines.join('\n'))).toBeTypeOf('string');
      }),
    );
  });

  it('is parsed or refused as argv too', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            word,
            word.map((text) => `--${text}`),
          ),
          { maxLength: 10 },
        ),
        (argv) => {
          expect(errorOf(() => parseArgv(argv))).toBeTypeOf('string');
        },
      ),
    );
  });
});
