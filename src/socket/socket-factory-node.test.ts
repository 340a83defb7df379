/** The conformance suites over node:dgram and node:net. */
import { socketFactoryConformance } from './link.conformance.ts';
import { createNodeSockets } from './socket-factory-node.ts';

socketFactoryConformance('node', createNodeSockets, { udpReportsRefused: false });
