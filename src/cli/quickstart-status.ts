/**
 * The live line of quickstart, from the server's status file (version 2): clients, traffic, uptime.
 */
import { readFileSync } from 'node:fs';

const COMMON_NAME = 1;
const BYTES_RECEIVED = 5;
const BYTES_SENT = 6;
const SINCE = 8;

/** `clients: client1  in 1.2 MiB  out 3.4 MiB  connected 00:01:05`; says so when there is no status yet. */
export function readStatusLine(path: string): string {
  try {
    return statusLine(readFileSync(path, 'utf8'));
  } catch {
    return 'clients: none yet';
  }
}

/** The same from the file's text. */
export function statusLine(text: string): string {
  const lines = text.split('\n').map((line) => line.split(','));
  const now = Number(lines.find(([key]) => key === 'TIME')?.[2] ?? 0);
  const clients = lines.filter(([key]) => key === 'CLIENT_LIST');
  if (clients.length === 0) return 'clients: none yet';
  const sum = (column: number): number => clients.reduce((total, row) => total + Number(row[column] ?? 0), 0);
  const names = clients.slice(0, 5).map((row) => row[COMMON_NAME]);
  const more = clients.length > names.length ? ` and ${clients.length - names.length} more` : '';
  const first = Math.min(...clients.map((row) => Number(row[SINCE] ?? now)));
  const traffic = `in ${mebibytes(sum(BYTES_RECEIVED))}  out ${mebibytes(sum(BYTES_SENT))}`;
  return `clients: ${names.join(', ')}${more}  ${traffic}  connected ${duration(now - first)}`;
}

/** As much of a line as stays on one row of a terminal: a longer one would wrap, and not be overwritten. */
export function fitLine(line: string, columns: number): string {
  return line.length < columns ? line : `${line.slice(0, Math.max(0, columns - 2))}…`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}
