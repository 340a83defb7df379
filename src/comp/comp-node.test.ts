/** The conformance suite over the packages `lzo` and `lz4`. */
import { compressionForTests } from '../../test-kit/compression.ts';
import { compressionConformance } from './comp.conformance.ts';

compressionConformance('comp-lzo-node', () => compressionForTests('lzo'));
compressionConformance('comp-lz4-node', () => compressionForTests('lz4'));
