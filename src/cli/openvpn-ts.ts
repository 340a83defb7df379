/**
 * Entry of the program `openvpn-ts` (bin/openvpn-ts): runs the command line of this process.
 */
import { main } from './commands.ts';

process.exitCode = await main(process.argv.slice(2));
