/** Who the collector is to those who connect with TLS: its certificate and key, and word of when they change. */

/** PEM texts. */
export interface ServerCertificate {
  /** The certificate, and behind it the authorities that issued it, the issuing one first. */
  certPem: string;
  keyPem: string;
  /** Of the certificate, its end. */
  notAfterMs: number;
}

/**
 * Servers give `current` to `createSecureContext`, and again whenever `onChange` calls (renewed while running):
 * `server.setSecureContext({cert: certPem, key: keyPem})`. Connections that are open go on.
 */
export interface ServerIdentity {
  readonly current: ServerCertificate;
  /** The answer ends the calls. */
  onChange(listener: (now: ServerCertificate) => void): () => void;
}

/** What holds it, and tells it on. */
export class HeldServerIdentity implements ServerIdentity {
  #current: ServerCertificate;
  readonly #listeners = new Set<(now: ServerCertificate) => void>();

  constructor(current: ServerCertificate) {
    this.#current = current;
  }

  get current(): ServerCertificate {
    return this.#current;
  }

  set(now: ServerCertificate): void {
    this.#current = now;
    for (const listener of this.#listeners) listener(now);
  }

  onChange(listener: (now: ServerCertificate) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
