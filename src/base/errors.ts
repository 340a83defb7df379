/**
 * The error tree. Throwing is for configuration, set-up and bugs; bad packets are drops, not errors.
 * Every code is listed in docs/errors.md, and a test compares the two.
 */
export class OpenVpnError extends Error {
  readonly code: string;

  constructor(message: string, code = 'ERR_OVPN', options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** A configuration that can't be used. `message` is 2.x's text without the "Options error: " prefix. */
export class OptionsError extends OpenVpnError {
  readonly file: string | undefined;
  readonly line: number | undefined;

  constructor(message: string, where: { file?: string; line?: number } = {}, options?: ErrorOptions) {
    super(message, 'ERR_OVPN_OPTIONS', options);
    this.file = where.file;
    this.line = where.line;
  }
}

/** TLS can't be set up, or a handshake failed; `code` tells which. */
export class TlsError extends OpenVpnError {
  constructor(message: string, options?: ErrorOptions, code = 'ERR_OVPN_TLS') {
    super(message, code, options);
  }
}

/** The server said AUTH_FAILED. */
export class AuthFailedError extends OpenVpnError {
  /** The server's words; undefined when it gave none. */
  readonly reason: string | undefined;

  constructor(message: string, options: ErrorOptions & { readonly reason?: string } = {}) {
    super(message, 'ERR_OVPN_AUTH_FAILED', options);
    this.reason = options.reason;
  }
}

/** A cipher, digest or key can't be used. */
export class CryptoError extends OpenVpnError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 'ERR_OVPN_CRYPTO', options);
  }
}

/** A socket could not be opened, bound, connected or resolved, or nobody answers; `code` tells which. */
export class LinkError extends OpenVpnError {
  constructor(message: string, options?: ErrorOptions, code = 'ERR_OVPN_LINK') {
    super(message, code, options);
  }
}

/** The TUN/TAP device could not be opened or configured. */
export class TunError extends OpenVpnError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 'ERR_OVPN_TUN', options);
  }
}

/** The management channel could not be opened or was misused. */
export class ManagementError extends OpenVpnError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 'ERR_OVPN_MANAGEMENT', options);
  }
}

/** The caller of this library broke a documented rule. */
export class ApiMisuseError extends OpenVpnError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 'ERR_OVPN_API_MISUSE', options);
  }
}

/** What was thrown, in words: an error's message, or whatever else it was. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
