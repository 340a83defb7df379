/**
 * Entry of the program `openvpn-ts` (bin/openvpn-ts): runs the command line of this process.
 */
import { main } from './commands.ts';

// Whoever read has had enough, as `head` has: what runs is ended by its own clean-up at the exit.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(1);
  });
}

process.exitCode = await main(process.argv.slice(2));
