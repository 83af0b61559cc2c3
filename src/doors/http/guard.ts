import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { isLoopback } from '../../config/admin-schema.ts';
import { Refusal } from './refusal.ts';

/** Who may ask. */
export interface GuardSettings {
  /** On which it listens. */
  readonly address: string;
  /** Null: none is asked for, which is for loopback only. */
  readonly token: string | null;
  /** Further names under which it may be asked for, in lower case. */
  readonly hosts: readonly string[];
  /** Further origins of pages that may ask. */
  readonly origins: readonly string[];
}

/** What of a request is looked at. */
export interface GuardedRequest {
  /** As it stands in the request line. */
  readonly target: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/**
 * Judges where a request comes from, by functions of its head alone.
 *
 * A page in a browser on this machine can make it send requests here. Against a foreign page stands the check
 * of Origin. Against one whose own name was made to lead here (DNS rebinding) stands that of Host: an address
 * cannot be made to lead elsewhere, so addresses and known names are served.
 */
export class Guard {
  readonly #settings: GuardSettings;
  readonly #digest: Buffer | undefined;

  constructor(settings: GuardSettings) {
    this.#settings = settings;
    this.#digest = settings.token === null ? undefined : sha256(settings.token);
  }

  get needsToken(): boolean {
    return this.#digest !== undefined;
  }

  /**
   * @returns the origin of another page that may ask, else undefined
   * @throws Refusal
   */
  checkSource({ rawHeaders, target }: GuardedRequest): string | undefined {
    if (!target.startsWith('/')) {
      throw new Refusal('bad-request', 'the target must be a path, as in GET /api/v1/status');
    }
    const hosts = valuesOf(rawHeaders, 'host');
    const [host] = hosts;
    if (host === undefined || hosts.length > 1) {
      throw new Refusal('bad-request', `expected one Host, and there are ${String(hosts.length)}`);
    }
    if (!this.#mayBeAskedAs(host)) {
      throw new Refusal(
        'forbidden',
        `Host ${JSON.stringify(host)} is not one of this process: ask by its address, or name it in admin.hosts`,
      );
    }
    const origins = valuesOf(rawHeaders, 'origin');
    const [origin] = origins;
    if (origin === undefined) {
      return undefined;
    }
    const own = [`http://${host}`, `https://${host}`].includes(origin.toLowerCase());
    const allowed = this.#settings.origins.includes(origin);
    if (origins.length > 1 || !(own || allowed)) {
      throw new Refusal(
        'forbidden',
        `Origin ${JSON.stringify(origin)} may not ask: name it in admin.origins if it shall`,
      );
    }
    return allowed ? origin : undefined;
  }

  /** @throws Refusal when a token is asked for and this is not it. */
  checkToken(rawHeaders: readonly string[]): void {
    if (this.#digest === undefined) {
      return;
    }
    const given = valuesOf(rawHeaders, 'authorization');
    const token = given.length === 1 ? /^Bearer +(\S+) *$/i.exec(given[0] ?? '')?.[1] : undefined;
    // Digests are of one length, and tell nothing of how much of the token was right.
    if (token === undefined || !timingSafeEqual(sha256(token), this.#digest)) {
      const problem = token === undefined ? 'a token is needed' : 'this is not the token';
      throw new Refusal(
        'unauthenticated',
        `${problem}: send that of admin.token as Authorization: Bearer TOKEN`,
        { 'www-authenticate': 'Bearer realm="geoflock"' },
      );
    }
  }

  #mayBeAskedAs(host: string): boolean {
    const name = hostName(host);
    if (name === undefined) {
      return false;
    }
    const { address, hosts } = this.#settings;
    if (name === 'localhost' || name === address || hosts.includes(name)) {
      return true;
    }
    return isIP(name) !== 0 && (!isLoopback(address) || isLoopback(name));
  }
}

/** `[::1]:8470` is `::1`; undefined when it is no host with or without a port. */
export function hostName(host: string): string | undefined {
  const [, name] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/.exec(host) ?? [];
  return name?.replace(/^\[(.*)\]$/, '$1').toLowerCase();
}

function valuesOf(rawHeaders: readonly string[], name: string): readonly string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
