/** Actions of client options (2.x options.c): remotes, timeouts, logging of echo, log files. */
import { textOfBytes } from '../base/base.ts';
import { M_INFO } from '../base/errlevel.ts';
import { type Apply, positiveAtoi } from './option-row.ts';
import { parseProto } from './proto.ts';

export const applyRemote: Apply = ([remote = '', rport, protoText], options, context) => {
  const proto = protoText === undefined ? undefined : parseProto(protoText);
  if (protoText !== undefined && proto === undefined) {
    return context.fail(`remote: bad protocol associated with host ${remote}: '${protoText}'`);
  }
  if (context.context === 'C') {
    options.ce.remote = remote;
    if (rport !== undefined) options.ce.rport = rport;
    if (proto !== undefined) options.ce.proto = proto;
  } else {
    options.remoteList.push({ remote, rport, proto });
  }
};

export const applyConnectTimeout: Apply = ([seconds = ''], options) => {
  options.ce.connectTimeout = positiveAtoi(seconds);
};

export const applyPreresolve: Apply = ([hint], options) => {
  options.preresolve = true;
  if (hint !== undefined) options.ipRemoteHint = hint;
};

/** Only text that starts with `msg` is logged; the rest is for a management client. */
export const applyEcho: Apply = (values, _options, context) => {
  if (values[0]?.startsWith('msg') !== true) return;
  context.log(M_INFO, `${context.context === 'P' ? 'ECHO-PULL' : 'ECHO'}:${values.join(' ')}`);
};

/** The first log file stays: 2.x redirects its output once. */
export function logTo(append: boolean): Apply {
  return ([file = ''], options) => {
    options.log ??= { file, append };
  };
}

/** Text of a base64 word, or undefined when it isn't base64. */
export function decodeBase64(encoded: string): string | undefined {
  if (encoded.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined;
  return textOfBytes(Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)));
}
