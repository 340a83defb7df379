/**
 * What a client does about AUTH_FAILED (2.x push.c receive_auth_failed()): a temporary failure is tried
 * again, a refused token gives way to the real password, everything else is --auth-retry's to say.
 */
import { M_VERB0 } from '../base/errlevel.ts';
import type { AuthFailedMessage } from '../push/push.ts';
import type { ClientRun } from './client-run.ts';
import type { ConnectionList } from './connection-list.ts';
import type { UserPass } from './credentials.ts';
import { authFailed, type Trouble } from './trouble.ts';

export interface AuthFailedHost extends Pick<ClientRun, 'options' | 'providers' | 'signals' | 'passphrase'> {
  readonly list: ConnectionList;
  readonly userPass: UserPass;
  readonly trouble: Trouble;
}

/** Logs the message, prepares list and credentials for the next attempt and raises the signal. */
export function handleAuthFailed(message: AuthFailedMessage, host: AuthFailedHost): void {
  const { options, providers, signals, passphrase, list, userPass, trouble } = host;
  const error = authFailed(message.reason);
  providers.log.log(M_VERB0, error.message);
  trouble.note(error);
  list.stay();
  const { temporary } = message;
  if (temporary) {
    list.serverBackoffSec = temporary.backoffSec;
    if (temporary.advance === 'remote') list.advance();
    else if (temporary.advance === 'addr') list.move();
    signals.raise('SIGUSR1', 'soft', 'auth-temp-failure (server temporary reject)');
  } else if (userPass.dropToken()) {
    signals.raise('SIGUSR1', 'soft', 'auth-failure (auth-token)');
  } else if (options.authRetry === 'none') {
    signals.raise('SIGTERM', 'soft', 'auth-failure');
  } else {
    if (options.authRetry === 'interact') {
      userPass.forget();
      passphrase.forget();
    }
    signals.raise('SIGUSR1', 'soft', 'auth-failure');
  }
  if (message.challenge !== undefined) userPass.setChallenge(message.challenge);
}
