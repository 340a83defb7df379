/**
 * What an AbortSignal means here: aborted before, nothing starts; aborted meanwhile, what is waited for is given up
 * at once, whether whoever does the work listens or not; and in the end no listener is left on the signal.
 */
import { LinkError } from '../base/base.ts';
import type { Link } from './socket.ts';

/** The cause of a LinkError after an abort: `code` is ABORT_ERR, `cause` the signal's reason. */
export function abortCause(signal: AbortSignal): NodeJS.ErrnoException {
  return Object.assign(new Error('aborted', { cause: signal.reason }), { code: 'ABORT_ERR' });
}

/** Whether an error came about by an abort. */
export function isAborted(error: unknown): boolean {
  const { cause } = error instanceof Error ? error : { cause: undefined };
  return cause instanceof Error && (cause as NodeJS.ErrnoException).code === 'ABORT_ERR';
}

/** As `work`, or rejects with `failure(abortCause)` as soon as the signal aborts. */
export function orAborted<T>(
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
  failure: (cause: NodeJS.ErrnoException) => Error,
): Promise<T> {
  if (signal === undefined) return work();
  if (signal.aborted) return Promise.reject(failure(abortCause(signal)));
  return new Promise((resolve, reject) => {
    const end = (): void => reject(failure(abortCause(signal)));
    const settle = (): void => signal.removeEventListener('abort', end);
    signal.addEventListener('abort', end, { once: true });
    work().then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        reject(error);
      },
    );
  });
}

/** A UDP link that `open` opens, unless the signal aborts before: one that comes late is closed. */
export function udpUnlessAborted(open: () => Promise<Link>, signal: AbortSignal | undefined): Promise<Link> {
  const opened = async (): Promise<Link> => {
    const link = await open();
    if (signal?.aborted) link.close();
    return link;
  };
  return orAborted(opened, signal, (cause) => new LinkError('UDP: opening was aborted', { cause }));
}
