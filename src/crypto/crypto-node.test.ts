/** The conformance suites over node:crypto. */
import { cryptoConformance } from './crypto.conformance.ts';
import { createNodeCrypto } from './crypto-node.ts';
import { epochConformance } from './epoch.conformance.ts';
import { hmacKeyConformance } from './hmac-keys.conformance.ts';

cryptoConformance('crypto-node', createNodeCrypto);
hmacKeyConformance('crypto-node', createNodeCrypto);
epochConformance('crypto-node', createNodeCrypto);
