/**
 * The keys that the data channel may use, in 2.x's order (ssl_common.h get_key_scan(); ssl.c
 * tls_select_encryption_key(), print_key_id()): the newest, its lame duck, an older session's lame duck.
 * Cheap enough for every batch: nothing is allocated.
 */
import { sessionIdHex } from '../reliable/reliable.ts';
import type { Sessions } from './packet-intake.ts';
import type { DataKeys } from './ssl.ts';
import { S_ACTIVE, S_UNDEF, stateName } from './states.ts';

const ZERO_SESSION_ID = '00000000 00000000';

/** The newest key that both sides have had time to set up, else the newest usable one at all. */
export function selectSealKeys(sessions: Sessions, nowMs: number): DataKeys | undefined {
  const { active, lameDuck } = sessions;
  const primary = active?.primary;
  const older = active?.lameDuck;
  const oldest = lameDuck?.lameDuck;
  if (primary?.usable && nowMs >= primary.settleMs) return primary.data;
  if (older?.usable && nowMs >= older.settleMs) return older.data;
  if (oldest?.usable && nowMs >= oldest.settleMs) return oldest.data;
  if (primary?.usable) return primary.data;
  if (older?.usable) return older.data;
  return oldest?.usable ? oldest.data : undefined;
}

/** The newest usable key with this id. */
export function selectOpenKeys(sessions: Sessions, keyId: number): DataKeys | undefined {
  const { active, lameDuck } = sessions;
  const primary = active?.primary;
  if (primary?.keyId === keyId && primary.usable) return primary.data;
  const older = active?.lameDuck;
  if (older?.keyId === keyId && older.usable) return older.data;
  const oldest = lameDuck?.lameDuck;
  return oldest?.keyId === keyId && oldest.usable ? oldest.data : undefined;
}

/** Whether any of the keys has come so far that the peer is still connected. */
export function isAnyKeyActive(sessions: Sessions): boolean {
  const { active, lameDuck } = sessions;
  const keys = [active?.primary, active?.lameDuck, lameDuck?.lameDuck];
  return keys.some((key) => key !== undefined && key.state >= S_ACTIVE);
}

/** The keys as 2.x lists them in error lines. */
export function describeKeys(sessions: Sessions): string {
  const { active, lameDuck } = sessions;
  const scan = [
    [active, active?.primary],
    [active, active?.lameDuck],
    [lameDuck, lameDuck?.lameDuck],
  ] as const;
  return scan
    .map(([session, key], i) => {
      const sid = session?.peerId ? sessionIdHex(session.peerId) : ZERO_SESSION_ID;
      const state = stateName(key?.state ?? S_UNDEF);
      return ` [key#${i} state=${state} auth=${key?.auth ?? 'KS_AUTH_FALSE'} id=${key?.keyId ?? 0} sid=${sid}]`;
    })
    .join('');
}
