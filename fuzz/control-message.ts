/** Fuzz entry: any bytes as a control message. Reading never throws and keeps control characters out. */
import { readControlMessage, sanitizeControlMessage } from '../src/push/push.ts';

export const target = {
  name: 'control-message',
  run(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('utf8');
    const message = readControlMessage(text);
    for (const value of Object.values(message)) {
      if (typeof value !== 'string') continue;
      for (let i = 0; i < value.length; i++) {
        if (value.charCodeAt(i) < 0x20) throw new Error(`control character in ${message.type}`);
      }
    }
    const safe = sanitizeControlMessage(text);
    if (safe.length > text.length) throw new Error('sanitizing made the text longer');
    if (/auth-token [^,]/.test(safe)) throw new Error('a token is left in the text');
  },
};
