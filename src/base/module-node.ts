/**
 * This package's own place among modules, for what is loaded by name or path when it is first needed. A bundle in the
 * form of CommonJS has no import.meta.url, but a __filename.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The file that holds this function: of the package, or a bundle that it became part of. */
export function moduleFile(): string {
  return typeof __filename === 'string' ? __filename : fileURLToPath(import.meta.url);
}

/** A `require` that finds what the package's modules find. */
export function moduleRequire(): NodeJS.Require {
  return createRequire(moduleFile());
}
