/** What an abort leaves behind: nothing. */
import { expect, it } from 'vitest';
import { LinkError } from '../base/base.ts';
import { udpUnlessAborted } from './abort.ts';
import type { Link } from './socket.ts';

function pendingLink() {
  const link = {
    closed: false,
    close: () => {
      link.closed = true;
    },
  };
  let settle = (): void => undefined;
  const opened = new Promise<Link>((resolve) => {
    settle = () => resolve(link as unknown as Link);
  });
  return { link, open: () => opened, settle };
}

it('closes a UDP socket that is opened after the abort', async () => {
  const abort = new AbortController();
  const { link, open, settle } = pendingLink();
  const waiting = udpUnlessAborted(open, abort.signal);
  abort.abort();
  await expect(waiting).rejects.toThrow(LinkError);
  settle();
  await open();
  expect(link.closed).toBe(true);
});

it('leaves one open that was there before', async () => {
  const abort = new AbortController();
  const { link, open, settle } = pendingLink();
  settle();
  await udpUnlessAborted(open, abort.signal);
  abort.abort();
  expect(link.closed).toBe(false);
});
