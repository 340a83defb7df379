/** --status and SIGUSR2 of a client or point-to-point peer (2.x print_status() of sig.c). */
import { timerDelay } from '../base/base.ts';
import { M_INFO } from '../base/errlevel.ts';
import { clientStatusLines, openStatusFile } from '../manage/manage.ts';
import type { Options } from '../options/options.ts';
import type { ClientStatistics } from './client-run.ts';
import type { Providers } from './init.ts';
import type { SignalState } from './sig.ts';

export class ClientStatusFile {
  readonly #options: Options;
  readonly #providers: Providers;
  readonly #signals: SignalState;
  #stop: () => void = () => undefined;

  constructor(options: Options, providers: Providers, signals: SignalState) {
    this.#options = options;
    this.#providers = providers;
    this.#signals = signals;
  }

  start({ counters, compression }: ClientStatistics): void {
    const { log, clock } = this.#providers;
    const lines = (): string[] => {
      const totals = compression();
      return clientStatusLines({ ...counters, ...(totals && { compression: totals }) }, clock.wallMs());
    };
    this.#signals.onStatistics = () => {
      for (const line of lines()) log.log(M_INFO, line);
    };
    const { status, statusInterval } = this.#options;
    if (status === undefined) return;
    const file = openStatusFile(status, log);
    file.write(lines());
    const timer = setInterval(() => file.write(lines()), timerDelay(Math.max(1, statusInterval) * 1000));
    this.#stop = () => {
      clearInterval(timer);
      file.close();
    };
  }

  stop(): void {
    this.#signals.onStatistics = () => undefined;
    this.#stop();
  }
}
