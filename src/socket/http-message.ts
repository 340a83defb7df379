/**
 * CONNECT requests and their answers (2.x proxy.c add_proxy_headers(), establish_http_proxy_passthru();
 * RFC 9112). Pure. Request lines, in this order:
 *
 *   CONNECT host:port HTTP/version | custom headers | Host | User-Agent | authorization | empty line
 */

export interface ConnectRequest {
  readonly host: string;
  readonly port: string;
  /** `1.0` or what --http-proxy-option VERSION says. */
  readonly version: string;
  readonly agent: string | undefined;
  /** Without content the name is the whole line. */
  readonly customHeaders: readonly { readonly name: string; readonly content: string | undefined }[];
}

export interface HttpHead {
  readonly statusLine: string;
  /** undefined when the status line has no number. */
  readonly status: number | undefined;
  /** Names in lower case, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** What a reader of an answer says about the bytes so far; `used` of them belong to the value. */
export type Answer<T> =
  | { readonly type: 'done'; readonly value: T; readonly used: number }
  | { readonly type: 'more' }
  | { readonly type: 'bad'; readonly text: string };

/** Largest header of an answer. Ours. */
export const MAX_HEAD_BYTES = 16 << 10;

/** The lines of a request without the empty one and without those of a login. */
export function connectLines(request: ConnectRequest): string[] {
  const { host, port, version, agent, customHeaders } = request;
  const custom = customHeaders.map(({ name, content }) =>
    content === undefined ? name : `${name}: ${content}`,
  );
  const ownHost = customHeaders.some(({ name, content }) =>
    content === undefined ? /^host:/i.test(name) : name.toLowerCase() === 'host',
  );
  return [
    `CONNECT ${host}:${port} HTTP/${version}`,
    ...custom,
    ...(ownHost ? [] : [`Host: ${host}`]),
    ...(agent === undefined ? [] : [`User-Agent: ${agent}`]),
  ];
}

/** Reads an answer up to its empty line; lines may end in LF alone. */
export function readHttpHead(bytes: Uint8Array): Answer<HttpHead> {
  const end = findEnd(bytes);
  if (end < 0) {
    return bytes.length < MAX_HEAD_BYTES ? { type: 'more' } : { type: 'bad', text: 'too long a header' };
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('latin1');
  const [statusLine = '', ...lines] = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const status = /^\S+\s+(\d{1,9})/.exec(statusLine)?.[1];
  const headers = lines.flatMap((line) => {
    const colon = line.indexOf(':');
    return colon < 0 ? [] : [[line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const];
  });
  const value = { statusLine, status: status === undefined ? undefined : Number(status), headers };
  return { type: 'done', value, used: end };
}

/** Whether the body comes in chunks. */
export function isChunked({ headers }: HttpHead): boolean {
  return headers.some(([name, value]) => name === 'transfer-encoding' && /\bchunked\b/i.test(value));
}

/** Finds the end of a body in chunks, which has no trailers. */
export function readChunks(bytes: Uint8Array): Answer<true> {
  for (let at = 0; ; ) {
    const end = bytes.indexOf(LF, at);
    if (end < 0) return bytes.length - at > 32 ? BAD_CHUNK : { type: 'more' };
    const size = /^([\da-f]{1,6})\s*(?:;.*)?\r?$/i.exec(
      Buffer.from(bytes.subarray(at, end)).toString('latin1'),
    );
    if (!size) return BAD_CHUNK;
    const next = bytes.indexOf(LF, end + 1 + Number.parseInt(size[1]!, 16));
    if (next < 0) return { type: 'more' };
    at = next + 1;
    if (Number.parseInt(size[1]!, 16) === 0) return { type: 'done', value: true, used: at };
  }
}

/** Bytes of the body that follows; undefined when the header doesn't say. */
export function bodyBytes({ headers }: HttpHead): number | undefined {
  const value = headers.find(([name]) => name === 'content-length')?.[1];
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}

/** Position behind the empty line, -1 when there is none yet. */
function findEnd(bytes: Uint8Array): number {
  const limit = Math.min(bytes.length, MAX_HEAD_BYTES);
  for (let at = bytes.indexOf(LF); at >= 0 && at < limit; at = bytes.indexOf(LF, at + 1)) {
    const next = bytes[at + 1] === CR ? at + 2 : at + 1;
    if (next < limit && bytes[next] === LF) return next + 1;
  }
  return -1;
}

const BAD_CHUNK = { type: 'bad', text: 'HTTP proxy returned a bad chunk' } as const;
const CR = 13;
const LF = 10;
