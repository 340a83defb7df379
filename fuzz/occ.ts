/** Fuzz entry: any bytes as body of an OCC message. Answers are bounded in number and size. */
import { nullLogger } from '../src/base/base.ts';
import { isOcc, Occ } from '../src/forward/occ.ts';

const MAGIC = Buffer.from('287f346bd4ef7a812d56b8d3afc5459c', 'hex');
const MAX_PAYLOAD = 1600;
/** One answer for each of the seven kinds of message. */
const MAX_ANSWERS = 7;

export const target = {
  name: 'occ',
  run(bytes: Uint8Array): void {
    const options = {
      localOptions: 'V4,dev-type tun',
      mtuTest: false,
      randomBytes: (n: number) => new Uint8Array(n),
    };
    const occ = new Occ(options, nullLogger, 0);
    const message = Buffer.concat([MAGIC, bytes]);
    if (!isOcc(message, 0, message.length)) throw new Error('magic was not seen');
    for (let repeat = 0; repeat < 3; repeat++) occ.handle(message, 0, message.length);
    const sizes = { linkMtu: 1500, overhead: 24, maxPayload: MAX_PAYLOAD };
    for (let answers = 0; occ.waiting; answers++) {
      const answer = occ.next(sizes);
      if (answer && answer.length > MAX_PAYLOAD) throw new Error('an answer is too long');
      if (answers > MAX_ANSWERS) throw new Error('answers without end');
    }
  },
};
