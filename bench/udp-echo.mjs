/**
 * Sends each packet back to where it came from, until it is ended.
 *
 *   node bench/udp-echo.mjs HOST PORT
 */
import { openUdp } from './udp-socket.mjs';

const [, , host, port] = process.argv;
const socket = openUdp(host, Number(port), (count) => socket.send(count));
process.stdout.write('ready\n');
