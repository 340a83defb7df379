/**
 * Fuzz entry: any bytes as the key method 2 message of either side, and as the control messages behind it.
 * A message that was read and is written again reads the same; nothing longer than promised is kept.
 */
import { readKeyMessage, splitControlMessages, writeKeyMessage } from '../src/ssl/key-method-2.ts';

const LONGEST_OPTIONS = 512;
const LONGEST_CREDENTIAL = 4096;
const random = { random1: new Uint8Array(32).fill(1), random2: new Uint8Array(32).fill(2) };
const message = {
  options: 'V4,dev-type tun,link-mtu 1549,tun-mtu 1500,proto UDPv4,auth SHA1,keysize 128,key-method 2',
  credentials: { username: 'anna', password: 'secret' },
  peerInfo: 'IV_VER=2.6.14\nIV_PROTO=990\n',
};

export const target = {
  name: 'key-method-2',
  corpus: [
    writeKeyMessage({ source: { preMaster: new Uint8Array(48).fill(3), ...random }, ...message })!,
    writeKeyMessage({ source: { preMaster: undefined, ...random }, ...message, credentials: undefined })!,
    Buffer.from('PUSH_REQUEST\0AUTH_FAILED,no\r\n\0'),
  ],
  run(bytes: Uint8Array): void {
    for (const fromClient of [true, false]) checkKeyMessage(bytes, fromClient);
    const { messages, invalid } = splitControlMessages(bytes);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    if (messages.some((text) => text === '' || /[\x00-\x1f\x7f]/.test(text)))
      throw new Error('a bad message');
    const seen = invalid.reduce((sum, view) => sum + view.length, 0);
    if (seen > bytes.length) throw new Error('more was dropped than came');
  },
};

function checkKeyMessage(bytes: Uint8Array, fromClient: boolean): void {
  const read = readKeyMessage(bytes, fromClient);
  if (read === 'incomplete' || 'text' in read) return;
  if (read.options.length > LONGEST_OPTIONS) throw new Error('options are too long');
  const { username, password, source } = read;
  if (Math.max(username.length, password.length) > LONGEST_CREDENTIAL) throw new Error('a login is too long');
  if (source.random1.length !== 32 || source.random2.length !== 32) throw new Error('a short random');
  if (source.preMaster?.length !== (fromClient ? 48 : undefined)) throw new Error('a wrong pre-master');
  const written = writeKeyMessage({ ...read, credentials: { username, password } });
  if (!written) return;
  const again = readKeyMessage(written, fromClient);
  if (again === 'incomplete') throw new Error('cut off when written again');
  // Bytes that are no UTF-8 become longer replacement characters, and may then be too long.
  if ('text' in again || again.credentialsTooLong || read.credentialsTooLong) return;
  // What is written has a login, be it an empty one.
  const same = { ...again, hasCredentials: read.hasCredentials };
  if (read.hasCredentials && !again.hasCredentials) throw new Error('the login was lost');
  if (JSON.stringify(same) !== JSON.stringify(read)) throw new Error('changed when written and read again');
}
