/**
 * Local date and time as 2.x prints it (time_string(), otime.c): `YYYY-MM-DD HH:MM:SS`, in log lines at
 * verb 4 and above followed by ` us=N` (not padded, left out when 0).
 */

/** Local time of a Unix time in ms. */
export function timeText(wallMs: number): string {
  const date = new Date(wallMs);
  const day = `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1, 2)}-${pad(date.getDate(), 2)}`;
  return `${day} ${pad(date.getHours(), 2)}:${pad(date.getMinutes(), 2)}:${pad(date.getSeconds(), 2)}`;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
