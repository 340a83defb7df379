/**
 * Learning of virtual addresses (2.x multi_learn_addr(), multi_reap_range(), check_stale_routes()):
 * limits, the --learn-address script, and the end of what isn't used.
 *
 *   client set up ---- learn() ----+
 *   frame from a client  learnSource() -- script? --> VirtualTable --dead, idle--> script "delete"
 *   host of an iroute -- cacheHost() --+
 *
 * 2.x stops while a script runs. Here the address is "in question" meanwhile: frames from it wait, a
 * bounded number of them, and go on when the script agrees; packets to a host of an iroute don't wait,
 * since 2.x passes them whatever the script says. One script a client runs at a time.
 * Routes of a client that went are removed, and the script told, some seconds later: a client that is
 * back by then gets "update" and no "delete", as in 2.x.
 */
import type { Logger } from '../base/base.ts';
import { D_MULTI_DEBUG, D_MULTI_LOW, D_ROUTE_QUOTA } from '../base/errlevel.ts';
import { EnvSet, type Hooks } from '../script/script.ts';
import {
  type RouteKey,
  routeText,
  unlearnableReason,
  type VirtualRoute,
  type VirtualTable,
} from './mroute.ts';
import type { RoutedClient } from './router.ts';

/** 2.x MULTI_CACHE_ROUTE_TTL: life of a cached host without look-ups. */
const CACHE_TTL_MS = 60_000;
/** From the end of a route to its removal: what 2.x's reaper takes on average, 16 s for a round of its table. */
const REAP_MS = 8_000;
/** How long a refusal of the script holds before frames of the address make it run again; ours. */
const REFUSED_MS = 1_000;
/** Between two lines about one client's limit when its traffic reaches it; ours. */
const QUOTA_LOG_MS = 1_000;
/** Frames that wait for one answer, and for all; ours. */
const HELD_PER_ADDRESS = 8;
const HELD_MAX = 256;

export interface LearnerConfig<C extends RoutedClient> {
  readonly routes: VirtualTable<C>;
  readonly hooks: Hooks;
  readonly log: Logger;
  readonly staleRoutesCheck: { readonly ageSec: number; readonly intervalSec: number } | undefined;
  /** The server's own tunnel address, which nobody learns. */
  readonly local: RouteKey | undefined;
  readonly nowMs: () => number;
  /** A script's run or its answer has thrown; the learner goes on as if the script had refused. */
  readonly onFault: (error: unknown, instance: C | undefined) => void;
}

/** An address whose script runs, or has refused lately. */
interface Question<C> {
  readonly instance: C;
  readonly held: Buffer[];
  refusedMs: number | undefined;
}

/** Learning state of one client. */
interface ClientState {
  /** Last script of the client. */
  chain: Promise<unknown>;
  questions: number;
  quotaLoggedMs: number;
}

export class AddressLearner<C extends RoutedClient> {
  /** A frame that waited may go on. */
  onReleased: (instance: C, frame: Buffer) => void = () => undefined;
  readonly #config: LearnerConfig<C>;
  readonly #clients = new WeakMap<C, ClientState>();
  readonly #questions = new Map<string, Question<C>>();
  /** Scripts that run, by address: a later one for the same address waits. */
  readonly #running = new Map<string, Promise<unknown>>();
  #deletes: Promise<unknown> = Promise.resolve();
  #held = 0;
  #checkedMs: number;

  constructor(config: LearnerConfig<C>) {
    this.#config = config;
    this.#checkedMs = config.nowMs();
    const stale = config.staleRoutesCheck;
    if (stale) {
      config.log.log(
        D_MULTI_LOW,
        `Initializing stale route check timer to run every ${stale.intervalSec} seconds and to removing routes with activity timeout older than ${stale.ageSec} seconds`,
      );
    }
  }

  /**
   * Learns an address of a client that is being set up, unless `wanted` says after the script that it isn't any
   * more. Resolves whether the client owns it afterwards.
   */
  async learn(instance: C, key: RouteKey, wanted = (): boolean => instance.open): Promise<boolean> {
    const { routes } = this.#config;
    routes.nowMs = this.#config.nowMs();
    if (routes.ownerOf(key) === instance) return true;
    if (!this.#isLearnable(key)) return false;
    if (!this.#hasQuota(instance, key, 0)) return false;
    const agreed = !this.#hasScript || (await this.#ask(instance, key));
    if (!wanted()) return false;
    routes.nowMs = this.#config.nowMs();
    if (agreed) this.#take(instance, key, false);
    else this.#logFailed(instance, key);
    return agreed;
  }

  /** Learns the source of a frame. 'asking': the script decides, hold() keeps the frame until then. */
  learnSource(instance: C, key: RouteKey): 'own' | 'refused' | 'asking' {
    const question = this.#hasScript ? this.#questions.get(routeText(key)) : undefined;
    if (question)
      return question.instance === instance && question.refusedMs === undefined ? 'asking' : 'refused';
    if (!this.#isLearnable(key) || !this.#hasQuota(instance, key)) return 'refused';
    if (this.#hasScript) {
      this.#question(instance, key, false);
      return 'asking';
    }
    this.#take(instance, key, false);
    return 'own';
  }

  /** Keeps a copy of a frame until its source is decided upon; too many are dropped. */
  hold(instance: C, key: RouteKey, frame: Uint8Array): void {
    const question = this.#questions.get(routeText(key));
    if (question?.instance !== instance || question.refusedMs !== undefined) return;
    if (question.held.length >= HELD_PER_ADDRESS || this.#held >= HELD_MAX) return;
    question.held.push(Buffer.from(frame));
    this.#held++;
  }

  /** Remembers a host that was found by a network of `owner`. */
  cacheHost(owner: C, key: RouteKey): void {
    if (unlearnableReason(key) !== undefined || this.#isLocal(key)) return;
    if (this.#hasScript && this.#questions.has(routeText(key))) return;
    if (!this.#hasQuota(owner, key)) return;
    if (this.#hasScript) this.#question(owner, key, true);
    else this.#take(owner, key, true);
  }

  /** Networks of a client came or went: a cached host may belong to another one. */
  dropCache(): void {
    this.#config.routes.nowMs = this.#config.nowMs();
    this.#config.routes.end((route) => route.cached);
  }

  /** The client went: its addresses are free. */
  handleClosed(instance: C): void {
    const { routes } = this.#config;
    routes.nowMs = this.#config.nowMs();
    routes.end((route) => route.owner === instance);
    if (instance.options.iroutes.length > 0 || instance.options.iroutesIpv6.length > 0) this.dropCache();
    for (const [text, question] of this.#questions) {
      if (question.instance === instance) this.#dropQuestion(text, question);
    }
  }

  /** Takes an address away from a client at once, script included. */
  async unlearn(instance: C, key: RouteKey): Promise<void> {
    const { routes } = this.#config;
    if (routes.ownerOf(key) !== instance) return;
    const text = routeText(key);
    routes.remove((route) => route.owner === instance && routeText(route) === text);
    this.#config.log.log(D_MULTI_LOW, `MULTI: Unlearn: ${text} -> ${instance.prefix}`);
    await this.#delete(text);
  }

  /** About once a second: removes what ended, aged or went stale. */
  handleTick(nowMs: number): void {
    const { routes } = this.#config;
    routes.nowMs = nowMs;
    routes.end((route) => route.cached && nowMs - route.lastRefMs > CACHE_TTL_MS);
    this.#remove((route) => route.deadMs !== undefined && nowMs - route.deadMs >= REAP_MS);
    this.#checkStale(nowMs);
    for (const [text, question] of this.#questions) {
      if (question.refusedMs !== undefined && nowMs - question.refusedMs >= REFUSED_MS) {
        this.#dropQuestion(text, question);
      }
    }
  }

  /** The server ends: the script is told of every address. Resolves when the last script ended. */
  async close(): Promise<void> {
    for (const [text, question] of this.#questions) this.#dropQuestion(text, question);
    await Promise.all([...this.#running.values()]);
    this.#remove(() => true);
    await Promise.all([...this.#running.values()]);
  }

  get #hasScript(): boolean {
    return this.#config.hooks.handles('learnAddress');
  }

  /** Only what traffic made goes stale: a client's own addresses and networks stay as long as the client. */
  #checkStale(nowMs: number): void {
    const stale = this.#config.staleRoutesCheck;
    if (!stale || nowMs - this.#checkedMs < stale.intervalSec * 1000) return;
    this.#checkedMs = nowMs;
    this.#config.log.log(D_MULTI_DEBUG, 'MULTI: Checking stale routes');
    const gone = this.#remove(
      (route) =>
        route.deadMs === undefined &&
        (route.family === 'ether' || route.cached) &&
        nowMs - route.lastRefMs >= stale.ageSec * 1000,
    );
    for (const text of gone) {
      this.#config.log.log(D_MULTI_DEBUG, `MULTI: Deleting stale route for address '${text}'`);
    }
  }

  #remove(matches: (route: VirtualRoute<C>) => boolean): string[] {
    const gone = this.#config.routes.remove(matches).map(routeText);
    for (const text of gone) void this.#delete(text);
    return gone;
  }

  /** One after the other, each in the turn of its address. */
  #delete(text: string): Promise<unknown> {
    const { hooks } = this.#config;
    if (!this.#hasScript) return Promise.resolve();
    const before = this.#deletes;
    this.#deletes = this.#inTurn(text, async () => {
      await before;
      return hooks.learnAddress(new EnvSet(), 'delete', text);
    }).catch((error: unknown) => this.#config.onFault(error, undefined));
    return this.#deletes;
  }

  #question(instance: C, key: RouteKey, cached: boolean): void {
    const text = routeText(key);
    const question: Question<C> = { instance, held: [], refusedMs: undefined };
    this.#questions.set(text, question);
    this.#client(instance).questions++;
    this.#ask(instance, key)
      .then((ok) => this.#answer(question, key, cached, ok))
      .catch((error: unknown) => this.#config.onFault(error, instance));
  }

  #answer(question: Question<C>, key: RouteKey, cached: boolean, ok: boolean): void {
    const text = routeText(key);
    if (this.#questions.get(text) !== question) return;
    const { instance, held } = question;
    const { routes, nowMs } = this.#config;
    routes.nowMs = nowMs();
    const frames = held.splice(0);
    this.#held -= frames.length;
    if (!ok || !instance.open) {
      question.refusedMs = nowMs();
      this.#logFailed(instance, key);
      return;
    }
    this.#dropQuestion(text, question);
    this.#take(instance, key, cached);
    for (const frame of frames) this.onReleased(instance, frame);
  }

  #dropQuestion(text: string, question: Question<C>): void {
    this.#held -= question.held.length;
    question.held.length = 0;
    this.#questions.delete(text);
    this.#client(question.instance).questions--;
  }

  /** Runs the script after the client's and the address' earlier ones. */
  #ask(instance: C, key: RouteKey): Promise<boolean> {
    const { hooks, routes } = this.#config;
    const state = this.#client(instance);
    const text = routeText(key);
    const answer = state.chain
      .then(() =>
        this.#inTurn(text, () => {
          const operation = routes.has(key) ? 'update' : 'add';
          return instance.open
            ? hooks.learnAddress(instance.env, operation, text, instance.commonName)
            : Promise.resolve(false);
        }),
      )
      .catch((error: unknown) => {
        this.#config.onFault(error, instance);
        return false;
      });
    state.chain = answer;
    return answer;
  }

  async #inTurn<R>(text: string, run: () => Promise<R>): Promise<R> {
    const before = this.#running.get(text) ?? Promise.resolve();
    const result = before.then(run);
    const settled = result.then(
      () => undefined,
      () => undefined,
    );
    this.#running.set(text, settled);
    await settled;
    if (this.#running.get(text) === settled) this.#running.delete(text);
    return result;
  }

  #take(instance: C, key: RouteKey, cached: boolean): void {
    this.#config.routes.learn(key, instance, cached);
    if (this.#config.log.enabled(D_MULTI_LOW)) {
      instance.log.log(D_MULTI_LOW, `MULTI: Learn: ${routeText(key)} -> ${instance.prefix}`);
    }
  }

  #logFailed(instance: C, key: RouteKey): void {
    instance.log.log(D_MULTI_LOW, `MULTI: Learn FAILED: ${routeText(key)} -> ${instance.prefix}`);
  }

  #isLearnable(key: RouteKey): boolean {
    const reason = unlearnableReason(key);
    if (reason !== undefined) this.#config.log.log(D_MULTI_LOW, `Can't learn ${routeText(key)}: ${reason}`);
    return reason === undefined && !this.#isLocal(key);
  }

  #isLocal(key: RouteKey): boolean {
    const { local } = this.#config;
    if (!local || local.family !== key.family || local.prefix !== key.prefix) return false;
    return local.words.every((word, w) => (word | 0) === ((key.words[w] ?? 0) | 0));
  }

  #hasQuota(instance: C, key: RouteKey, logEveryMs = QUOTA_LOG_MS): boolean {
    const state = this.#client(instance);
    const { maxRoutesPerClient } = instance.options;
    if (this.#config.routes.countOf(instance) + state.questions < maxRoutesPerClient) return true;
    const nowMs = this.#config.nowMs();
    if (nowMs - state.quotaLoggedMs >= logEveryMs) {
      state.quotaLoggedMs = nowMs;
      const limit = `MULTI ROUTE: route quota (${maxRoutesPerClient}) exceeded for ${instance.prefix}`;
      instance.log.log(D_ROUTE_QUOTA, `${limit} (see --max-routes-per-client option)`);
      this.#logFailed(instance, key);
    }
    return false;
  }

  #client(instance: C): ClientState {
    let state = this.#clients.get(instance);
    if (!state) {
      state = { chain: Promise.resolve(), questions: 0, quotaLoggedMs: Number.NEGATIVE_INFINITY };
      this.#clients.set(instance, state);
    }
    return state;
  }
}
