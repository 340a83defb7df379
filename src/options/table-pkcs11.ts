/**
 * Option rows for PKCS#11 tokens (2.x options.c add_option(), manual section "pkcs11").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */
import { MANY, notYet, type OptionRow } from './option-row.ts';

export const pkcs11Options: readonly OptionRow[] = [
  notYet('pkcs11-cert-private', 0, MANY, 'G', 'Certificate access needs login'),
  notYet('pkcs11-id', 1, 1, 'G', 'Object to use'),
  notYet('pkcs11-id-management', 0, 0, 'G', 'Ask management for object id'),
  notYet('pkcs11-pin-cache', 1, 1, 'G', 'PIN cache seconds'),
  notYet('pkcs11-private-mode', 1, MANY, 'G', 'Private key access mode bits per provider'),
  notYet('pkcs11-protected-authentication', 0, MANY, 'G', 'Use PIN pad per provider'),
  notYet('pkcs11-providers', 1, MANY, 'G', 'PKCS#11 modules'),
  notYet('show-pkcs11-ids', 0, 2, 'G', 'List PKCS#11 objects and exit'),
];
