/**
 * Header of push/ (2.x push.h, push_util.c): messages over the control channel after the handshake.
 *
 *   server: the client's Options + what was negotiated -> pushReplyItems() -> buildPushReplies() -> TlsMulti.sendMessage()
 *           PushResponder says when
 *   client: PushRequester sends PUSH_REQUEST; readControlMessage() reads; PushCollector joins the parts
 *
 * Pure: texts and times in, texts and events out.
 */

/** readControlMessage(text): ControlMessage; never throws. sanitizeControlMessage(text, showKeys): for logs. */
export {
  type AuthFailedMessage,
  type ControlMessage,
  readControlMessage,
  sanitizeControlMessage,
  type TemporaryFailure,
} from './control-message.ts';
/**
 * pulledOptionsDigest(options, { tunMtuFixed }, hash): hex; equal digests keep tun open on reconnect.
 * PushCollector.add(items): 'more' | 'done' | 'duplicate' | 'bad'; options then has all parts.
 */
export { PushCollector, pulledOptionsDigest } from './push-collector.ts';
/** buildPushReplies(items, limit?): string[] | undefined; undefined = one option is too long. */
export {
  buildPushReplies,
  type PushAddresses,
  type PushReplyInput,
  pushReplyItems,
  pushReplyParameters,
} from './push-reply.ts';
/** Client: when to send PUSH_REQUEST and when to give up. */
export { PushRequester, type PushRequesterConfig, type PushRequesterEvent } from './push-requester.ts';
/** Server: when to answer PUSH_REQUEST. */
export { PushResponder } from './push-responder.ts';
/** Server: buildPushUpdates(options, limit?): messages or undefined; addressChanges(options): what they do to ifconfig. */
export { type AddressChange, addressChanges, buildPushUpdates } from './push-update.ts';
/** Server: AUTH_FAILED, AUTH_PENDING texts. */
export { authFailedMessage, authPendingMessages } from './server-messages.ts';
