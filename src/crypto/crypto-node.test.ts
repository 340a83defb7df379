/** The conformance suite over node:crypto. */
import { cryptoConformance } from './crypto.conformance.ts';
import { createNodeCrypto } from './crypto-node.ts';

cryptoConformance('crypto-node', createNodeCrypto);
