/** ssl-native.ts must pass what every TLS engine must, see ssl.conformance.ts. */

import { addonForTests } from '../../test-kit/native-addon.ts';
import { sslConformance } from './ssl.conformance.ts';
import { createNativeSsl } from './ssl-native.ts';

sslConformance('ssl-native', () => createNativeSsl(addonForTests()));
