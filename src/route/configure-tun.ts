/**
 * Gives the device its addresses (2.x do_ifconfig(), undo_ifconfig(), do_ifconfig_setenv() of tun.c):
 *
 *   tun, topology p2p or net30    local + peer address
 *   tun with topology subnet, tap address + netmask
 *   IPv6 (any)                    address/bits
 *
 * Each family sets MTU and link state first, as 2.x does.
 */
import type { Logger } from '../base/base.ts';
import { ipv4ToNumber, prefixOfNetmask, TunError } from '../base/base.ts';
import { M_INFO, M_WARN } from '../base/errlevel.ts';
import type { EnvSink, NetworkConfig } from './route.ts';

export interface TunSetup {
  /** The kernel's name of the device. */
  readonly dev: string;
  readonly type: 'tun' | 'tap' | 'null';
  readonly topology: 'net30' | 'p2p' | 'subnet';
  readonly mtu: number;
  readonly ifconfig?: { readonly local: string; readonly remoteNetmask: string } | undefined;
  readonly ifconfigIpv6?:
    | { readonly local: string; readonly netbits: number; readonly remote: string }
    | undefined;
  /** --lladdr */
  readonly lladdr?: string | undefined;
  /** --ifconfig-noexec: export variables only. */
  readonly noexec?: boolean | undefined;
}

/** What was set; undo() removes exactly that and may be called at any time, more than once. */
export interface ConfiguredTun {
  readonly didIpv4: boolean;
  readonly didIpv6: boolean;
  /** Words for up and down scripts. */
  readonly ifconfigLocal: string | undefined;
  readonly ifconfigRemote: string | undefined;
  exportTo(env: EnvSink): void;
  undo(): Promise<void>;
}

/** Rejects with TunError in 2.x's words when the system refuses, the reason as its cause; what was set until then is undone. */
export async function configureTun(net: NetworkConfig, setup: TunSetup, log: Logger): Promise<ConfiguredTun> {
  const addresses = new TunAddresses(net, setup, log);
  if (setup.type !== 'null') await addresses.apply();
  return addresses;
}

class TunAddresses implements ConfiguredTun {
  readonly #net: NetworkConfig;
  readonly #setup: TunSetup;
  readonly #log: Logger;
  /** What was added, to be removed in the same order. */
  #undo: (() => Promise<void>)[] = [];

  constructor(net: NetworkConfig, setup: TunSetup, log: Logger) {
    this.#net = net;
    this.#setup = setup;
    this.#log = log;
  }

  get didIpv4(): boolean {
    return this.#setup.ifconfig !== undefined;
  }

  get didIpv6(): boolean {
    return this.#setup.ifconfigIpv6 !== undefined;
  }

  get ifconfigLocal(): string | undefined {
    return this.#setup.ifconfig?.local;
  }

  get ifconfigRemote(): string | undefined {
    return this.#setup.ifconfig?.remoteNetmask;
  }

  exportTo(env: EnvSink): void {
    const { ifconfig, ifconfigIpv6 } = this.#setup;
    if (ifconfig !== undefined) {
      env.set('ifconfig_local', ifconfig.local);
      env.set(isPointToPoint(this.#setup) ? 'ifconfig_remote' : 'ifconfig_netmask', ifconfig.remoteNetmask);
    }
    if (ifconfigIpv6 !== undefined) {
      env.set('ifconfig_ipv6_local', ifconfigIpv6.local);
      env.set('ifconfig_ipv6_netbits', ifconfigIpv6.netbits);
      env.set('ifconfig_ipv6_remote', ifconfigIpv6.remote);
    }
  }

  async apply(): Promise<void> {
    await this.#setLinkAddress();
    if (this.#setup.noexec) return;
    try {
      await this.#applyIpv4();
      await this.#applyIpv6();
    } catch (error) {
      await this.undo();
      throw error;
    }
  }

  /** Also with --ifconfig-noexec; a refusal stops nothing (2.x set_lladdr()). */
  async #setLinkAddress(): Promise<void> {
    const { dev, lladdr } = this.#setup;
    if (lladdr === undefined) return;
    try {
      await this.#net.setLinkAddress(dev, lladdr);
      this.#log.log(M_INFO, `TUN/TAP link layer address set to ${lladdr}`);
    } catch (error) {
      if (!(error instanceof TunError)) throw error;
    }
  }

  async undo(): Promise<void> {
    const steps = this.#undo;
    this.#undo = [];
    for (const step of steps) await step();
  }

  async #applyIpv4(): Promise<void> {
    const { dev, ifconfig } = this.#setup;
    if (ifconfig === undefined) return;
    await this.#bringUp();
    const { local, remoteNetmask } = ifconfig;
    const net = this.#net;
    if (isPointToPoint(this.#setup)) {
      await this.#step(
        net.addPeerAddress(dev, local, remoteNetmask),
        `Linux can't add IP to interface ${dev}`,
      );
      this.#onUndo(
        () => net.deletePeerAddress(dev, local, remoteNetmask),
        `Linux can't del IP from iface ${dev}`,
      );
      return;
    }
    const prefix = prefixOfNetmask(ipv4ToNumber(remoteNetmask));
    if (prefix === undefined)
      throw new TunError(`Linux can't add IP to interface ${dev}: netmask ${remoteNetmask}`);
    await this.#step(net.addAddress(dev, local, prefix), `Linux can't add IP to interface ${dev}`);
    this.#onUndo(() => net.deleteAddress(dev, local, prefix), `Linux can't del IP from iface ${dev}`);
  }

  async #applyIpv6(): Promise<void> {
    const { dev, ifconfigIpv6, type } = this.#setup;
    if (ifconfigIpv6 === undefined) return;
    await this.#bringUp();
    const { local, netbits } = ifconfigIpv6;
    // A tun has no neighbours to ask: its address is usable when scripts and users hear that it is up.
    const noDad = type === 'tun';
    await this.#step(
      this.#net.addAddress(dev, local, netbits, noDad),
      `Linux can't add IPv6 to interface ${dev}`,
    );
    this.#onUndo(
      () => this.#net.deleteAddress(dev, local, netbits),
      `Linux can't del IPv6 from iface ${dev}`,
    );
  }

  async #bringUp(): Promise<void> {
    const { dev, mtu } = this.#setup;
    await this.#step(this.#net.setMtu(dev, mtu), `Linux can't set mtu (${mtu}) on ${dev}`);
    await this.#step(this.#net.setUp(dev, true), `Linux can't bring ${dev} up`);
  }

  async #step(call: Promise<void>, text: string): Promise<void> {
    try {
      await call;
    } catch (cause) {
      throw new TunError(text, { cause });
    }
  }

  #onUndo(call: () => Promise<void>, text: string): void {
    this.#undo.push(async () => {
      try {
        await call();
      } catch {
        this.#log.log(M_WARN, text);
      }
    });
  }
}

/** 2.x is_tun_p2p(). */
function isPointToPoint(setup: TunSetup): boolean {
  return setup.type === 'tun' && setup.topology !== 'subnet';
}
