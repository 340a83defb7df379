/** Which error stands for which end of an attempt. */
import { describe, expect, it } from 'vitest';
import { LinkError, MemoryLogger, nullLogger, OpenVpnError } from '../base/base.ts';
import { D_TLS_ERRORS } from '../base/errlevel.ts';
import type { PendingSignal } from './sig.ts';
import { authFailed, linkError, Trouble } from './trouble.ts';

const TIMEOUT =
  'TLS Error: TLS key negotiation failed to occur within 60 seconds (check your network connectivity)';

describe('Trouble', () => {
  it.each([
    [
      [
        'VERIFY ERROR: depth=1, error=self-signed certificate in certificate chain: CN=x, serial=1',
        'OpenSSL: error:0A000086:SSL routines::certificate verify failed:',
      ],
      'ERR_OVPN_TLS_VERIFY',
      /^VERIFY ERROR: depth=1/,
    ],
    [['VERIFY KU ERROR'], 'ERR_OVPN_TLS_VERIFY', /^VERIFY KU ERROR$/],
    [['VERIFY CRL: depth=0, CN=x, serial=1 is revoked'], 'ERR_OVPN_TLS_VERIFY', /is revoked$/],
    [
      ['OpenSSL: error:0A000418:SSL routines::tlsv1 alert unknown ca:', 'TLS Error: TLS handshake failed'],
      'ERR_OVPN_TLS_HANDSHAKE',
      /alert unknown ca$/,
    ],
    [[TIMEOUT, 'TLS Error: TLS handshake failed'], 'ERR_OVPN_TIMEOUT', /within 60 seconds/],
    [
      ['TLS Error: Early negotiation malformed packet', 'TLS Error: TLS handshake failed'],
      'ERR_OVPN_TLS_HANDSHAKE',
      /malformed/,
    ],
    [['VERIFY OK: depth=0, CN=x'], 'ERR_OVPN_TLS_HANDSHAKE', /^TLS handshake failed$/],
  ])('finds the cause of a failed handshake in %j', (lines, code, message) => {
    const trouble = new Trouble();
    const log = trouble.watch(nullLogger);
    for (const line of lines) log.log(D_TLS_ERRORS, line);
    const error = trouble.errorOf(soft('tls-error'));
    expect(error?.code).toBe(code);
    expect(error?.message).toMatch(message);
    trouble.begin();
    expect(trouble.errorOf(soft('tls-error'))?.message).toBe('TLS handshake failed');
  });

  it('passes lines on, those of children with their prefix', () => {
    const memory = new MemoryLogger(3);
    const trouble = new Trouble();
    trouble
      .watch(memory)
      .child(() => 'peer')
      .log(D_TLS_ERRORS, 'VERIFY KU ERROR');
    expect(memory.lines).toEqual(['peer VERIFY KU ERROR']);
    expect(trouble.errorOf(soft('tls-error'))?.code).toBe('ERR_OVPN_TLS_VERIFY');
  });

  it.each([
    ['server_poll', 'ERR_OVPN_TIMEOUT'],
    ['ping-restart', 'ERR_OVPN_TIMEOUT'],
    ['ping-exit', 'ERR_OVPN_TIMEOUT'],
    ['connection-reset', 'ERR_OVPN_LINK'],
    ['something else', 'ERR_OVPN'],
  ])('%s is %s', (reason, code) => {
    expect(new Trouble().errorOf(soft(reason))?.code).toBe(code);
  });

  it('finds nothing wrong where somebody wanted the end', () => {
    const trouble = new Trouble();
    trouble.note(new OpenVpnError('earlier'));
    const signals: PendingSignal[] = [
      { name: 'SIGTERM', source: 'hard', reason: '' },
      ...['restart', 'aborted', 'inactive', 'exit-with-notification'].map(soft),
    ];
    expect(signals.map((signal) => trouble.errorOf(signal))).toEqual(signals.map(() => undefined));
  });

  it('blames the network for silence only until the server has answered', () => {
    const trouble = new Trouble();
    trouble.noteLink(Object.assign(new Error('read UDPv4 [ECONNREFUSED]'), { code: 'ECONNREFUSED' }));
    expect(trouble.errorOf(soft('server_poll'))?.code).toBe('ERR_OVPN_REFUSED');
    trouble.noteContact();
    expect(trouble.errorOf(soft('server_poll'))?.code).toBe('ERR_OVPN_TIMEOUT');
  });

  it('keeps what was noted first', () => {
    const trouble = new Trouble();
    const first = authFailed('no entry');
    trouble.note(first);
    trouble.note(new LinkError('later'));
    expect(trouble.errorOf(soft('auth-failure'))).toBe(first);
    expect(first).toMatchObject({ reason: 'no entry', code: 'ERR_OVPN_AUTH_FAILED' });
    expect(authFailed(undefined)).toMatchObject({
      message: 'AUTH: Received control message: AUTH_FAILED',
      reason: undefined,
    });
  });
});

it.each([
  ['ENETUNREACH', 'ERR_OVPN_UNREACHABLE'],
  ['EHOSTUNREACH', 'ERR_OVPN_UNREACHABLE'],
  ['ECONNREFUSED', 'ERR_OVPN_REFUSED'],
  ['EPERM', 'ERR_OVPN_REFUSED'],
  ['ETIMEDOUT', 'ERR_OVPN_TIMEOUT'],
  ['ECONNRESET', 'ERR_OVPN_LINK'],
])('linkError() makes %s %s', (code, expected) => {
  const cause = Object.assign(new Error('x'), { code });
  expect(linkError('text', cause)).toMatchObject({ code: expected, message: 'text', cause });
});

function soft(reason: string): PendingSignal {
  return { name: 'SIGUSR1', source: 'soft', reason };
}
