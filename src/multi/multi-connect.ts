/**
 * From an authenticated key to a connected client, and back (2.x multi_connection_established(),
 * multi_client_connect_late_setup(), multi_client_disconnect_script()):
 *
 *   verify, authenticate  scripts answer the control channel
 *   active -> duplicates closed -> CCD -> client-connect -> addresses -> routes learned
 *          -> cipher negotiated, data keys made -> PUSH_REPLY when asked for
 *
 * Steps that wait for a script give up when the instance was closed meanwhile, or when another TLS session
 * took the place of the one that they were for: that one starts over.
 */
import type { FaultEntry } from '../base/base.ts';
import {
  D_MULTI_ERRORS,
  D_MULTI_LOW,
  D_PUSH,
  D_PUSH_ERRORS,
  D_TLS_ERRORS,
  M_WARN,
} from '../base/errlevel.ts';
import { compressionProblem, compressorFor, headerBytes } from '../comp/comp.ts';
import { timerOptions } from '../forward/forward.ts';
import { cloneOptions, devTypeOf, type ImportKind, importLines } from '../options/options.ts';
import { type addressChanges, buildPushReplies, pushReplyItems } from '../push/push.ts';
import { EnvSet, setCertificate, setPeerAddress } from '../script/script.ts';
import { setNoDelay } from '../socket/socket.ts';
import {
  commonNameOf,
  type DataChannelParams,
  IV_PROTO_REQUEST_PUSH,
  NO_PEER_INFO,
  type PeerInfo,
  serverDataParams,
  type TlsEvent,
  usesCompression,
} from '../ssl/ssl.ts';
import { setConnection, setIdentity, setTotals } from './client-env.ts';
import { logClientTunnel } from './client-lines.ts';
import { ClientLogin } from './client-login.ts';
import { readClientOptions } from './client-options.ts';
import type { InstanceSession } from './instance-session.ts';
import type { AddressLearner } from './learn.ts';
import type { MultiConfig } from './multi.ts';
import { type AddressPlan, changedAddresses, constraintViolation, logPrimary } from './multi-addresses.ts';
import type { MultiInstance } from './multi-instance.ts';

/** What setting up needs of the server. */
export interface SetupHost {
  readonly config: MultiConfig;
  readonly plan: AddressPlan;
  readonly learner: AddressLearner<MultiInstance>;
  instances(): Iterable<MultiInstance>;
  failAuth(instance: MultiInstance, reason: string | undefined, nowMs: number): void;
  closeInstance(instance: MultiInstance): void;
  handleFault(entry: FaultEntry, error: unknown, instance: MultiInstance): void;
}

type EventOf<T extends TlsEvent['type']> = Extract<TlsEvent, { readonly type: T }>;

export class ClientSetup {
  readonly login: ClientLogin;
  readonly #host: SetupHost;
  /** Work that still runs for instances, closed ones included. */
  readonly #tasks = new Set<Promise<void>>();

  constructor(host: SetupHost) {
    this.#host = host;
    this.login = new ClientLogin(host);
  }

  /** The script judges what a tls-crypt-v2 key carries; nothing else of the client is known yet. */
  verifyClientKey(instance: MultiInstance, event: EventOf<'client-key'>): void {
    const [type, ...value] = event.metadata;
    this.#run(instance, async () => {
      const data = Uint8Array.from(value);
      if (type === undefined) instance.log.log(M_WARN, 'ERROR: no metadata type');
      const { signal } = instance.session;
      const ok =
        type !== undefined && (await this.#hooks.tlsCryptV2Verify(new EnvSet(), { type, data }, signal));
      if (instance.state === 'closed') return;
      instance.peer.answer({ to: 'client-key', id: event.id, ok });
    });
  }

  verify(instance: MultiInstance, event: EventOf<'verify'>): void {
    const { certificate } = event;
    const { options } = this.#host.config;
    const session = instance.sessionOf(event.session);
    setPeerAddress(session.env, 'untrusted', instance.remote);
    setCertificate(session.env, certificate, options.x509Track);
    if (certificate.depth === 0)
      session.env.set('common_name', commonNameOf(certificate, options, instance.log));
    this.#run(instance, async () => {
      const ok = await this.#hooks.tlsVerify(session.env, certificate, session.signal);
      if (instance.state === 'closed') return;
      instance.peer.answer({ to: 'verify', id: event.id, ok });
    });
  }

  authenticate(instance: MultiInstance, event: EventOf<'authenticate'>): void {
    const session = instance.sessionOf(event.session);
    this.#run(instance, async () => {
      const answer = await this.login.judge(instance, session, event);
      if (instance.state === 'closed') return;
      instance.peer.answer({ to: 'authenticate', id: event.id, ...answer });
    });
  }

  /** A session took the client's place: what was begun for the earlier one is dropped, what that one has got stays. */
  handlePromoted(instance: MultiInstance, event: EventOf<'promoted'>, nowMs: number): void {
    const earlier = instance.promote(event.session);
    if (!earlier || instance.state !== 'setup') return;
    instance.log.log(
      D_MULTI_LOW,
      'MULTI: the client started over, its earlier session is not set up any more',
    );
    instance.state = 'handshake';
    instance.handshakeUntilMs = nowMs + instance.bound.profile.tls.handWindowMs + 1_000;
    instance.undoing = this.#takeBack(instance);
    instance.addresses = {};
    instance.options = this.#host.config.options;
    instance.commonName = '';
  }

  handleActive(instance: MultiInstance, event: EventOf<'active'>): void {
    const { session } = instance;
    if (instance.state === 'handshake') {
      instance.state = 'setup';
      this.#run(instance, () => this.#establish(instance, session));
      return;
    }
    if (!event.first || !instance.open) return;
    // The client started over on the same address: same person, same addresses, new keys.
    const name = nameOf(instance);
    if (name !== instance.commonName) {
      instance.log.log(
        D_TLS_ERRORS,
        `TLS Auth Error: TLS object CN attempted to change from '${instance.commonName}' to '${name}' -- tunnel disabled`,
      );
      this.#host.closeInstance(instance);
      return;
    }
    this.#enterEnv(instance, session);
    setConnection(session.env, instance, this.#hasNetmask);
    this.#finish(instance);
  }

  /** The client's answer to a question that the script had asked: another script hears it. */
  handleCrResponse(instance: MultiInstance, response: string): void {
    const { session } = instance;
    instance.log.log(D_PUSH, `CR response was sent by client ('${response}')`);
    if (!session.takeResponse()) {
      instance.log.log(D_PUSH, 'CR response ignored: no challenge is open, or an answer to it came before');
      return;
    }
    this.#run(instance, async () => {
      const ok = await this.#hooks.clientCrresponse(session.env, response).finally(() => {
        session.handleResponseHeard();
      });
      if (!ok && !session.over) this.#reject(instance, undefined);
    });
  }

  handlePushRequest(instance: MultiInstance, nowMs: number): void {
    const { responder } = instance.session;
    if (instance.open && responder.handleRequest(nowMs)) this.#sendPushReply(instance, nowMs);
  }

  /** PUSH_UPDATE told the client of other tunnel addresses: from here on it owns those. */
  handleAddressChanges(instance: MultiInstance, changes: ReturnType<typeof addressChanges>): void {
    this.#run(instance, () => this.#changeAddresses(instance, changes));
  }

  /** The instance is gone: frees what it had and runs the scripts of the end. */
  handleClosed(instance: MultiInstance): void {
    void this.#takeBack(instance);
  }

  /** Resolves when no script of any instance runs any more. */
  async idle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all([...this.#tasks]);
  }

  get #hooks(): MultiConfig['hooks'] {
    return this.#host.config.hooks;
  }

  get #nowMs(): number {
    return this.#host.config.clock.nowMs();
  }

  async #establish(instance: MultiInstance, session: InstanceSession): Promise<void> {
    const { config } = this.#host;
    const goesOn = (): boolean => isCurrent(instance, session);
    instance.commonName = nameOf(instance);
    instance.connectedWallMs = config.clock.wallMs();
    this.#enterEnv(instance, session);
    await instance.undoing;
    if (goesOn()) await this.#closeDuplicates(instance);
    if (!goesOn()) return;

    this.#migrateCompression(instance);
    this.#assign(instance);
    const imports = new Set<ImportKind>();
    const read = await this.#readClientConfig(instance, session, imports);
    const agreed =
      read && (instance.options.disable || (await this.#runClientConnect(instance, session, imports)));
    if (!goesOn()) return;
    if (!read) return this.#reject(instance, undefined);
    const forbidden = this.#logForbidden(instance);
    // A refusal ends what the script may have begun, too.
    if (!agreed || forbidden) {
      void this.#disconnect(instance, session.env);
      return this.#reject(instance, undefined);
    }
    instance.disconnectDue = true;
    this.#import(instance, imports);
    if (instance.addresses.remoteNetmask4 === undefined) {
      const text = `MULTI: no dynamic or static remote --ifconfig address is available for ${instance.prefix}`;
      instance.log.log(D_MULTI_ERRORS, text);
    }
    await this.#learnRoutes(instance, session);
    if (goesOn()) this.#finish(instance);
  }

  /** Whether options of the client keep it out; the log has why. */
  #logForbidden({ options, log }: MultiInstance): boolean {
    if (options.disable)
      log.log(D_MULTI_ERRORS, "MULTI: client has been rejected due to 'disable' directive");
    const problem = compressionProblem(options.compress, this.#host.config.comp);
    if (problem === undefined) return options.disable;
    log.log(D_MULTI_ERRORS, problem);
    log.log(D_MULTI_ERRORS, 'MULTI: client has been rejected due to invalid compression options');
    return true;
  }

  /** Says which kinds of options the client has of its own; its socket follows. */
  #import({ bound, log, options }: MultiInstance, imports: ReadonlySet<ImportKind>): void {
    for (const { level, text } of importLines(imports)) log.log(level, text);
    if (imports.has('sockflags') && options.tcpNodelay) setNoDelay(bound.link, log);
  }

  /** Scripts of the client get the environment of this session from here on. */
  #enterEnv(instance: MultiInstance, { env }: InstanceSession): void {
    const { identity, remote } = instance;
    instance.env = env;
    if (identity) setIdentity(env, identity, remote, this.#host.config.options.x509Track);
    env.set('common_name', instance.commonName);
  }

  /** Keys and push: everything that is known by now goes to the client. */
  #finish(instance: MultiInstance): void {
    const nowMs = this.#nowMs;
    const params = this.#negotiate(instance, nowMs);
    if (!params) return;
    instance.peer.generateDataKeys(params, nowMs);
    instance.state = 'connected';
    this.#setFraming(instance);
    instance.data.handleKeys();
    instance.data.setTimers(timerOptions(instance.options), nowMs);
    const { responder } = instance.session;
    if (peerInfoOf(instance).proto & IV_PROTO_REQUEST_PUSH) responder.setRequestPush();
    if (responder.handleReady(nowMs)) this.#sendPushReply(instance, nowMs);
    logClientTunnel(instance);
    instance.peer.drive(nowMs);
  }

  /** The client's compression framing, which client options may have set. */
  #setFraming(instance: MultiInstance): void {
    const { compress } = instance.options;
    instance.data.setCompressor(compressorFor(compress, this.#host.config.comp, instance.log));
    const compBytes = headerBytes(compress.algorithm);
    const { frame } = instance.bound.profile;
    if (compBytes !== frame.compBytes) instance.data.setFrame({ ...frame, compBytes });
  }

  /** --compress migrate: a client with compression is pushed to a framing without. */
  #migrateCompression(instance: MultiInstance): void {
    if (!instance.options.compress.migrate || !usesCompression(instance.identity?.options ?? '')) return;
    const options = cloneOptions(instance.options);
    instance.options = options;
    if (peerInfoOf(instance).values.get('IV_COMP_STUBv2') === '1') {
      options.push.push('compress stub-v2');
    } else {
      options.push.push('comp-lzo no');
      options.compress.algorithm = 'lzo-stub';
    }
  }

  #negotiate(instance: MultiInstance, nowMs: number): DataChannelParams | undefined {
    const { crypto } = this.#host.config;
    const { options, identity, peerId, log } = instance;
    const choice = serverDataParams(options, identity, peerId, { crypto, log });
    return choice.params ?? this.#refuse(instance, choice.reason, nowMs);
  }

  #refuse(instance: MultiInstance, reason: string | undefined, nowMs: number): undefined {
    this.#host.failAuth(instance, reason, nowMs);
    instance.peer.drive(nowMs);
    return undefined;
  }

  #reject(instance: MultiInstance, reason: string | undefined): void {
    if (instance.open) this.#refuse(instance, reason, this.#nowMs);
  }

  #sendPushReply(instance: MultiInstance, nowMs: number): void {
    const { options, addresses } = instance;
    const { tokens } = instance.session;
    const items = pushReplyItems(
      options,
      {
        ifconfig:
          addresses.local4 !== undefined && addresses.remoteNetmask4 !== undefined
            ? { local: addresses.local4, remoteOrNetmask: addresses.remoteNetmask4 }
            : undefined,
        ifconfigIpv6:
          addresses.local6 !== undefined
            ? { local: addresses.local6, bits: addresses.netbits6 ?? 64, remote: addresses.remote6 ?? '::' }
            : undefined,
      },
      {
        params: instance.peer.params!,
        peerInfo: peerInfoOf(instance),
        tunMtu: instance.bound.profile.frame.tunMtu,
        ...(tokens.current !== undefined && { authToken: tokens.current }),
      },
    );
    const messages = buildPushReplies(items);
    if (!messages) {
      instance.log.log(D_PUSH_ERRORS, '--push option is too long');
      return;
    }
    for (const message of messages) instance.peer.sendMessage(message, nowMs);
  }

  async #closeDuplicates(instance: MultiInstance): Promise<void> {
    // Clients without a name are not each other.
    if (this.#host.config.options.duplicateCn || instance.commonName === '') return;
    const others = [...this.#host.instances()].filter(
      (other) => other !== instance && other.commonName === instance.commonName,
    );
    if (others.length === 0) return;
    instance.log.log(
      D_MULTI_LOW,
      `MULTI: new connection by client '${instance.commonName}' will cause previous active sessions by this client to be dropped.  Remember to use the --duplicate-cn option if you want multiple clients using the same certificate or username to concurrently connect.`,
    );
    const before = new Set(this.#tasks);
    for (const other of others) this.#host.closeInstance(other);
    // The scripts of the old connection end before those of the new one begin.
    await Promise.all([...this.#tasks].filter((task) => !before.has(task)));
  }

  /** False when --ccd-exclusive misses its file. */
  async #readClientConfig(
    instance: MultiInstance,
    session: InstanceSession,
    imports: Set<ImportKind>,
  ): Promise<boolean> {
    const { clientFiles, options } = this.#host.config;
    const file = await clientFiles.read(instance.commonName);
    if (session.over) return false;
    if (!file) {
      if (!options.ccdExclusive) return true;
      instance.log.log(
        D_TLS_ERRORS,
        `TLS Auth Error: --client-config-dir authentication failed for common name '${instance.commonName}' file='${options.clientConfigDir}/${instance.commonName}'`,
      );
      return false;
    }
    await this.#apply(instance, session, file, imports);
    return !session.over;
  }

  async #runClientConnect(
    instance: MultiInstance,
    session: InstanceSession,
    imports: Set<ImportKind>,
  ): Promise<boolean> {
    if (!this.#hooks.handles('clientConnect')) return true;
    const answer = await this.#hooks.clientConnect(session.env, {
      deadlineMs: instance.bound.profile.tls.handWindowMs,
      signal: session.signal,
    });
    if (!answer.ok) return false;
    const { config: text, file: label } = answer;
    if (label !== undefined && isCurrent(instance, session))
      await this.#apply(instance, session, { text, label }, imports);
    if (isCurrent(instance, session)) return true;
    // Who left meanwhile was closed before it had been let in.
    void this.#disconnect(instance, session.env);
    return false;
  }

  /** Scripts see the addresses that hold so far. */
  #assign(instance: MultiInstance): void {
    this.#host.plan.assign(instance);
    setConnection(instance.env, instance, this.#hasNetmask);
  }

  /** Takes address and routes back and tells scripts of the end, where they are owed it. Resolves when those are done. */
  #takeBack(instance: MultiInstance): Promise<void> | undefined {
    const { plan, learner } = this.#host;
    plan.release(instance);
    learner.handleClosed(instance);
    if (!instance.disconnectDue) return undefined;
    instance.disconnectDue = false;
    return this.#disconnect(instance, instance.env);
  }

  #disconnect(instance: MultiInstance, env: EnvSet): Promise<void> {
    setTotals(env, instance, this.#host.config.clock.wallMs());
    const done = this.#hooks.clientDisconnect(env).then(
      () => undefined,
      (error: unknown) => this.#host.handleFault('hook', error, instance),
    );
    this.#track(done);
    return done;
  }

  /** Takes options of the client's own, and notes their kinds. */
  async #apply(
    instance: MultiInstance,
    session: InstanceSession,
    { text, label }: { readonly text: string; readonly label: string },
    imports: Set<ImportKind>,
  ): Promise<void> {
    const { clientFiles } = this.#host.config;
    instance.log.log(D_PUSH, `OPTIONS IMPORT: reading client specific options from: ${label}`);
    const result = await readClientOptions(text, label, instance.options, clientFiles);
    if (!isCurrent(instance, session)) return;
    for (const kind of result.imports) imports.add(kind);
    for (const line of result.messages) instance.log.log(line.level, line.text);
    instance.options = result.options;
    this.#assign(instance);
  }

  /** In tun mode the client's addresses and networks; a tap server learns from traffic. */
  async #learnRoutes(instance: MultiInstance, session: InstanceSession): Promise<void> {
    const { plan, learner } = this.#host;
    const { iroutes, iroutesIpv6 } = instance.options;
    const violation = constraintViolation(instance);
    if (violation !== undefined) instance.log.log(D_MULTI_ERRORS, violation);
    if (this.#isTap) {
      if (iroutes.length > 0) instance.log.log(D_MULTI_ERRORS, irouteRefusal(instance));
      return;
    }
    for (const route of plan.routesOf(instance)) {
      if (!route.primary)
        instance.log.log(D_MULTI_LOW, `MULTI: internal route ${route.text} -> ${instance.prefix}`);
      await learner.learn(instance, route, () => isCurrent(instance, session));
      if (!isCurrent(instance, session)) return;
      if (route.primary) logPrimary(instance, route);
    }
    if (iroutes.length > 0 || iroutesIpv6.length > 0) learner.dropCache();
  }

  async #changeAddresses(
    instance: MultiInstance,
    { v4, v6 }: ReturnType<typeof addressChanges>,
  ): Promise<void> {
    const { plan, learner } = this.#host;
    const before = plan.routesOf(instance).filter((route) => route.primary);
    instance.addresses = changedAddresses(instance.addresses, v4, v6);
    const after = plan.routesOf(instance).filter((route) => route.primary);
    if (this.#isTap) return;
    for (const route of before) {
      if (!after.some((other) => other.text === route.text)) await learner.unlearn(instance, route);
    }
    for (const route of after) if (instance.open) await learner.learn(instance, route);
  }

  /** The address option has a netmask rather than the server's end. */
  get #hasNetmask(): boolean {
    return this.#isTap || this.#host.config.options.topology === 'subnet';
  }

  get #isTap(): boolean {
    return devTypeOf(this.#host.config.options) === 'tap';
  }

  /** A failing step ends its instance, not the server. */
  #run(instance: MultiInstance, work: () => Promise<void>): void {
    this.#track(work().catch((error: unknown) => this.#host.handleFault('answer', error, instance)));
  }

  #track(task: Promise<void>): void {
    this.#tasks.add(task);
    void task.finally(() => this.#tasks.delete(task));
  }
}

function nameOf({ identity }: MultiInstance): string {
  return identity?.name ?? '';
}

function peerInfoOf({ identity }: MultiInstance): PeerInfo {
  return identity?.peerInfo ?? NO_PEER_INFO;
}

/** Whether setting up the client for this session still makes sense. */
function isCurrent(instance: MultiInstance, session: InstanceSession): boolean {
  return instance.open && !session.over;
}

function irouteRefusal(instance: MultiInstance): string {
  return `MULTI: --iroute options rejected for ${instance.prefix} -- iroute only works with tun-style tunnels`;
}
