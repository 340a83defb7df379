/** Texts of system errors are the C library's, whatever libuv says. */
import { expect, it } from 'vitest';
import { errnoLine, errnoText } from './errno-text.ts';
import { OpenVpnError } from './errors.ts';

const named = (code: string, errno?: number): Error =>
  Object.assign(new Error(`${code}: x`), { code, errno });

it.each([
  ['ENOENT', 'No such file or directory'],
  ['EACCES', 'Permission denied'],
  ['ECONNREFUSED', 'Connection refused'],
  ['ETIMEDOUT', 'Connection timed out'],
  ['EHOSTUNREACH', 'No route to host'],
  ['EADDRNOTAVAIL', 'Cannot assign requested address'],
  ['ENOTFOUND', 'Name or service not known'],
])('%s is %s', (code, text) => {
  expect(errnoText(named(code))).toBe(text);
});

it('puts the number behind it', () => {
  expect(errnoLine('open', named('EACCES', -13))).toBe('open: Permission denied (errno=13)');
  expect(errnoLine('look-up', named('ENOTFOUND'))).toBe('look-up: Name or service not known');
});

it('leaves other errors their words', () => {
  expect(errnoText(new Error('plain'))).toBe('plain');
  expect(errnoText(new OpenVpnError('ours', 'ERR_OVPN'))).toBe('ours');
});
