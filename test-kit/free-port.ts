/** UDP ports for tests that must name one: files of tests run beside each other, so none may have one of its own. */
import { createSocket } from 'node:dgram';

/** A port that the system has just given and got back. */
export function freeUdpPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind(0, () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}
