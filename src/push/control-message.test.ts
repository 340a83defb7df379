import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import vectors from '../../test-kit/vectors.json' with { type: 'json' };
import {
  authFailedMessage,
  authPendingMessages,
  readControlMessage,
  sanitizeControlMessage,
} from './push.ts';

const { observed_control_text } = vectors.messages;

describe('readControlMessage', () => {
  it('knows every message that was seen between live peers', () => {
    const types = observed_control_text.map((text) => readControlMessage(text).type);
    expect(types).toEqual([
      'auth-failed',
      'auth-failed',
      'auth-failed',
      'auth-pending',
      'info-pre',
      'cr-response',
      'restart',
      'halt',
      'push-update',
      'push-update',
      'exit',
    ]);
  });

  it('reads AUTH_FAILED with and without reason', () => {
    expect(readControlMessage('AUTH_FAILED')).toEqual({
      type: 'auth-failed',
      reason: undefined,
      temporary: undefined,
      challenge: undefined,
    });
    const text = 'Data channel cipher negotiation failed (no shared cipher)';
    expect(readControlMessage(`AUTH_FAILED,${text}`)).toMatchObject({ reason: text });
  });

  it('reads the flags of a temporary failure', () => {
    const message = readControlMessage('AUTH_FAILED,TEMP[backoff 42,advance no,odd]: please try later');
    expect(message).toMatchObject({
      type: 'auth-failed',
      temporary: { backoffSec: 42, advance: 'no', text: ' please try later', unknownFlags: ['odd'] },
    });
    expect(readControlMessage('AUTH_FAILED,TEMP:busy')).toMatchObject({
      temporary: { backoffSec: 0, advance: undefined, text: 'busy' },
    });
  });

  it('keeps a dynamic challenge whole', () => {
    const challenge = 'CRV1:R,E:Om01:Y2xpZW50:Enter code';
    expect(readControlMessage(`AUTH_FAILED,${challenge}`)).toMatchObject({ challenge, reason: challenge });
  });

  it('reads push messages', () => {
    expect(readControlMessage('PUSH_REQUEST')).toEqual({ type: 'push-request' });
    expect(readControlMessage('PUSH_REPLY')).toEqual({ type: 'push-reply', items: [] });
    expect(readControlMessage('PUSH_REPLY,ping 1,topology subnet')).toEqual({
      type: 'push-reply',
      items: ['ping 1', 'topology subnet'],
    });
    expect(readControlMessage('PUSH_UPDATE,tun-mtu 1400')).toEqual({
      type: 'push-update',
      items: ['tun-mtu 1400'],
    });
    expect(readControlMessage('PUSH_REPLYX').type).toBe('bad-push');
  });

  it('reads RESTART and HALT with their flags', () => {
    expect(readControlMessage('RESTART,[N]')).toEqual({
      type: 'restart',
      text: '[N]',
      nextRemote: true,
      keepPasswords: false,
    });
    expect(readControlMessage('HALT,bye')).toMatchObject({ type: 'halt', text: 'bye', nextRemote: false });
    expect(readControlMessage('RESTART,[NP]x')).toMatchObject({ nextRemote: true, keepPasswords: true });
    expect(readControlMessage('RESTART,NP')).toMatchObject({ nextRemote: false, keepPasswords: false });
  });

  it('tells INFO_PRE from INFO', () => {
    expect(readControlMessage('INFO_PRE,CR_TEXT:R,E:Enter')).toEqual({
      type: 'info-pre',
      text: 'CR_TEXT:R,E:Enter',
    });
    expect(readControlMessage('INFO,hello')).toEqual({ type: 'info', text: 'hello' });
  });

  it('reads AUTH_PENDING keywords', () => {
    expect(readControlMessage('AUTH_PENDING,timeout 30,other')).toEqual({
      type: 'auth-pending',
      timeoutSec: 30,
      keywords: 'timeout 30,other',
      ignored: ['other'],
    });
    expect(readControlMessage('AUTH_PENDING')).toMatchObject({ timeoutSec: undefined, ignored: [] });
  });

  it('reads CR_RESPONSE and EXIT, drops line ends, and names what it does not know', () => {
    expect(readControlMessage('CR_RESPONSE,MTIz')).toEqual({ type: 'cr-response', response: 'MTIz' });
    expect(readControlMessage('EXIT\r\n')).toEqual({ type: 'exit' });
    expect(readControlMessage('HELLO')).toEqual({
      type: 'unknown',
      text: 'WARNING: Received unknown control message: HELLO',
    });
    expect(readControlMessage('EX\nIT')).toEqual({
      type: 'invalid',
      text: 'WARNING: Received control with invalid characters: 45580a4954',
    });
  });

  it('never throws and never passes control characters on', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const message = readControlMessage(text);
        const lowest = Math.min(...Buffer.from(Object.values(message).join('')), 0x20);
        expect(lowest).toBe(0x20);
      }),
      { numRuns: 300 },
    );
  });
});

describe('sanitizeControlMessage', () => {
  it('hides tokens and echoed text', () => {
    const text = 'PUSH_REPLY,auth-token SESS_ID_AT_secret,echo forget,ping 1';
    expect(sanitizeControlMessage(text)).toBe('PUSH_REPLY,auth-token,echo,ping 1');
    expect(sanitizeControlMessage('PUSH_REPLY,auth-token abc', true)).toBe('PUSH_REPLY,auth-token abc');
    expect(sanitizeControlMessage('auth-token SESS_ID_x', true)).toBe('auth-token SESS_ID');
  });
});

describe('messages of a server about authentication', () => {
  it('are bounded', () => {
    expect(authFailedMessage(undefined)).toBe('AUTH_FAILED');
    expect(Buffer.byteLength(authFailedMessage('ü'.repeat(2000)))).toBeLessThan(1024);
    expect(authPendingMessages('x'.repeat(1100), 30, true)).toBeUndefined();
  });

  it('use keywords only for clients that read them', () => {
    expect(authPendingMessages('OPEN_URL:https://x', 30, true)).toEqual([
      'AUTH_PENDING,timeout 30',
      'INFO_PRE,OPEN_URL:https://x',
    ]);
    expect(authPendingMessages('OPEN_URL:https://x', 30, false)?.[0]).toBe('AUTH_PENDING');
  });
});
