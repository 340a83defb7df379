/**
 * Fuzz entry: messages of a server through readControlMessage() and PushCollector; what was collected is
 * divided again and must collect to the same options.
 */
import { buildPushReplies, PushCollector, readControlMessage } from '../src/push/push.ts';

/** The longest divided message, NUL included, that 2.x sends. */
const BUNDLE_BYTES = 1024;

export const target = {
  name: 'push-reply',
  run(bytes: Uint8Array): void {
    const first = collect(
      Buffer.from(bytes)
        .toString('utf8')
        .split('\0')
        .map((text) => `PUSH_REPLY,${text}`),
    );
    if (!first) return;
    const messages = buildPushReplies(first);
    if (!messages) throw new Error('an option of at most 255 bytes was too long to push');
    for (const message of messages) {
      if (Buffer.byteLength(message) >= BUNDLE_BYTES) throw new Error(`message of ${message.length} bytes`);
    }
    const second = collect(messages);
    if (JSON.stringify(second) !== JSON.stringify(first)) throw new Error('options changed on the way');
  },
};

/** Options of a complete reply, undefined when it isn't one. */
function collect(messages: readonly string[]): readonly string[] | undefined {
  const collector = new PushCollector();
  for (const text of messages) {
    const message = readControlMessage(text);
    if (message.type !== 'push-reply') continue;
    if (collector.add(message.items) === 'bad' && collector.options.length > 8192) {
      throw new Error('kept too many options');
    }
  }
  return collector.complete ? collector.options : undefined;
}
