/**
 * The server's half of logins: verification scripts and what they do, and the client's credentials.
 */
import type { Bed } from '../bed.ts';

/** Server lines for a login script: its body sees $user and $pass and appends to the file `calls`. */
export function loginLines(bed: Bed, body: readonly string[]): string[] {
  const script = bed.write(
    'login.sh',
    [
      '#!/bin/sh',
      '{ read -r user; read -r pass; } < "$1"',
      `echo "$user $pass $session_state $session_id" >> ${bed.dir}/calls`,
      ...body,
      '',
    ].join('\n'),
    0o700,
  );
  return ['script-security 3', `auth-user-pass-verify ${script} via-file`];
}

/** Accepts alice's password and nothing else. */
export function onlyPassword(bed: Bed): string[] {
  return loginLines(bed, ['[ "$user $pass" = "alice secret" ]']);
}

export function loginFile(bed: Bed): string {
  return bed.write('login.txt', 'alice\nsecret\n');
}

export function calls(bed: Bed): string[] {
  return bed.read('calls').split('\n').slice(0, -1);
}

export function b64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** The right password brings a question, its answer a tunnel. */
export function dynamicChallengeLines(bed: Bed): string[] {
  const challenge = `CRV1:R,E:state17:${b64('alice')}:Say 42`;
  return loginLines(bed, [
    `[ "$user $pass" = "alice CRV1::state17::42" ] && exit 0`,
    `[ "$user $pass" = "alice secret" ] && echo "${challenge}" > "$auth_failed_reason_file"`,
    'exit 1',
  ]);
}

/** A question in the session; what the client answers gets into the bed's file `answer`, and lets it in. */
export function crTextLines(bed: Bed): string[] {
  const answer = bed.write('answer.sh', `#!/bin/sh\ncp "$1" ${bed.dir}/answer\n`, 0o700);
  const script = loginLines(bed, [
    `printf '30\\ncrtext\\nCR_TEXT:R,E:Your code\\n' > "$auth_pending_file"`,
    `(while [ ! -s ${bed.dir}/answer ]; do sleep 0.2; done; printf 1 > "$auth_control_file") >/dev/null 2>&1 &`,
    'exit 2',
  ]);
  return [...script, `client-crresponse ${answer}`];
}

/** Sends the client to a web page, and lets it in after that time. */
export function webAuthLines(bed: Bed, seconds: number): string[] {
  return loginLines(bed, [
    `printf '30\\nwebauth\\nWEB_AUTH::https://example.org/login\\n' > "$auth_pending_file"`,
    `(sleep ${seconds}; printf 1 > "$auth_control_file") >/dev/null 2>&1 &`,
    'exit 2',
  ]);
}

/** A method that hardly any client announces. */
export function openUrlLines(bed: Bed): string[] {
  return loginLines(bed, [
    `printf '30\\nopenurl\\nOPEN_URL:https://example.org\\n' > "$auth_pending_file"`,
    'exit 2',
  ]);
}

/** Refuses the first login for a while. */
export function temporaryLines(bed: Bed): string[] {
  return loginLines(bed, [
    `[ -e ${bed.dir}/second ] && exit 0`,
    `touch ${bed.dir}/second`,
    'echo "TEMP[backoff 3,advance no]:come back later" > "$auth_failed_reason_file"',
    'exit 1',
  ]);
}
