/**
 * Option rows for PKCS#11 tokens (2.x options.c add_option(), manual section "pkcs11").
 * Fields: option-row.ts. Arity and contexts are those of test-kit/options.tsv.
 */
import { MANY, type OptionRow } from './option-row.ts';

export const pkcs11Options: readonly OptionRow[] = [
  {
    name: 'pkcs11-cert-private',
    min: 0,
    max: MANY,
    contexts: 'G',
    supported: 'not-yet',
    usage: '',
    help: 'Certificate access needs login',
  },
  {
    name: 'pkcs11-id',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'not-yet',
    usage: '',
    help: 'Object to use',
  },
  {
    name: 'pkcs11-id-management',
    min: 0,
    max: 0,
    contexts: 'G',
    supported: 'not-yet',
    usage: '',
    help: 'Ask management for object id',
  },
  {
    name: 'pkcs11-pin-cache',
    min: 1,
    max: 1,
    contexts: 'G',
    supported: 'not-yet',
    usage: '',
    help: 'PIN cache seconds',
  },
  {
    name: 'pkcs11-private-mode',
    min: 1,
    max: MANY,
    contexts: 'G',
    supported: 'not-yet',
    usage: '',
    help: 'Private key access mode bits per provider',
  },
  {
    name: 'pkcs11-protected-authentication',
    min: 0,
    max: MANY,
    contexts: 'G',
    supported: 'not-yet',
    usage: '',
    help: 'Use PIN pad per provider',
  },
  {
    name: 'pkcs11-providers',
    min: 1,
    max: MANY,
    contexts: 'G',
    supported: 'not-yet',
    usage: '',
    help: 'PKCS#11 modules',
  },
  {
    name: 'show-pkcs11-ids',
    min: 0,
    max: 2,
    contexts: 'G',
    supported: 'not-yet',
    usage: '',
    help: 'List PKCS#11 objects and exit',
  },
];
