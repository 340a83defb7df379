/** Fuzz entry: any bytes as an answer of the kernel's routing socket. Reading ends, and no length is trusted. */
import { isMainDefault, readReplies } from '../src/route/rtnetlink.ts';

const ROUTE =
  '3400000018000200000000000000000002000000fe03000100000000' +
  '08000500c00002010800040003000000' +
  '08000f00fe000000';

export const target = {
  name: 'rtnetlink',
  corpus: [ROUTE, ROUTE + ROUTE, '1400000002000000000000000000000000000000'].map((text) =>
    Buffer.from(text, 'hex'),
  ),
  run(bytes: Uint8Array): void {
    let replies = 0;
    let ended = false;
    for (const reply of readReplies(bytes)) {
      if (ended) throw new Error('read on behind a malformed message');
      if (++replies * 16 > bytes.length + 16) throw new Error('more messages than fit');
      if (reply.kind === 'malformed') ended = true;
      if (reply.kind === 'refused' && !(reply.errno > 0)) throw new Error('a refusal without an errno');
      if (reply.kind !== 'route') continue;
      const { prefix, gateway } = reply.route;
      if (prefix > 255 || (gateway?.length ?? 0) > bytes.length) throw new Error('read beyond the message');
      isMainDefault(reply.route);
    }
  },
};
