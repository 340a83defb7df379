/** ssl-node.ts must pass what every TLS engine must, see ssl.conformance.ts. */

import { sslConformance } from './ssl.conformance.ts';
import { sslHostileConformance } from './ssl-hostile.conformance.ts';
import { createNodeSsl } from './ssl-node.ts';

sslConformance('ssl-node', () => createNodeSsl());
sslHostileConformance('ssl-node', () => createNodeSsl());
