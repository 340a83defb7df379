/** What --ifconfig looks like that doesn't fit the device (2.x tun.c ifconfig_sanity_check()). */
import type { Options } from './option-types.ts';
import { devTypeOf } from './proto.ts';

const HOW_TO_SILENCE = '(silence this warning with --ifconfig-nowarn)';

/** The warning for the second value of --ifconfig; undefined when it fits, and with --ifconfig-nowarn. */
export function ifconfigAdvice(options: Options): string | undefined {
  const { ifconfig, ifconfigNowarn, topology } = options;
  if (!ifconfig || ifconfigNowarn) return undefined;
  const second = ifconfig.remoteNetmask;
  const looksLikeMask = second.startsWith('255.');
  if (devTypeOf(options) === 'tap') {
    if (looksLikeMask) return undefined;
    return `WARNING: Since you are using --dev tap, the second argument to --ifconfig must be a netmask, for example something like 255.255.255.0. ${HOW_TO_SILENCE}`;
  }
  if (!looksLikeMask || topology === 'subnet') return undefined;
  return `WARNING: Since you are using --dev tun with a point-to-point topology, the second argument to --ifconfig must be an IP address.  You are using something (${second}) that looks more like a netmask. ${HOW_TO_SILENCE}`;
}
