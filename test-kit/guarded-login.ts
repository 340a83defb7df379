/**
 * A server whose login script lets one password in and leaves another undecided, and clients that come to it from one
 * address and port: to the server each is what the one before it was (CVE-2020-15078).
 */
import { later, RecordedScripts, type ScriptCall } from './recorded-scripts.ts';

/** Of a client: its place, which is the same for all, and that it tries again. */
export const PLACE = 'local 198.51.100.10\nlport 5000\nconnect-retry 1\nauth-retry nointeract';
/** Of the server. */
export const GUARDED =
  'verify-client-cert none\nauth-gen-token\nauth-user-pass-verify /bin/check via-env\nclient-connect /bin/cc';

/** Of a client: the password `right` is let in, others wait for the verdict. */
export function login(password: string): string {
  return `<auth-user-pass>\nanna\n${password}\n</auth-user-pass>`;
}

/** Scripts of the server: `connect` answers client-connect, `verdict` is the answer to what isn't the right password. */
export function guardedScripts(connect: (call: ScriptCall) => Promise<number> | number): {
  scripts: RecordedScripts;
  verdict: ReturnType<typeof later<number>>;
} {
  const scripts = new RecordedScripts();
  const verdict = later<number>();
  scripts.answer = (call) => {
    if (call.env.script_type === 'client-connect') return connect(call);
    return call.env.password === 'right' ? 0 : verdict.promise;
  };
  return { scripts, verdict };
}
