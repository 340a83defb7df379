/** The whole control channel with the addon's TLS engine: tls-multi.test.ts once more. */
import { addonForTests } from '../../test-kit/native-addon.ts';
import { usePairEngine } from '../../test-kit/tls-pair-node.ts';
import { createNativeSsl } from './ssl-native.ts';

usePairEngine(createNativeSsl(addonForTests()));
await import('./tls-multi.test.ts');
