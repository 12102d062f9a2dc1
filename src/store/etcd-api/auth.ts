// Enough of etcd's Auth service to be safe off loopback: one user, a password, tokens.
// Invariant: with a user set, nothing but Authenticate is served without a token that was given out and has not expired.
import type { Clock, Random } from '../../ports.ts';
import type { Metadata, Method, Methods } from './call.ts';
import { statusError } from './errors.ts';
import type { Headers } from './header.ts';
import { unary } from './unary.ts';

export interface Credentials {
  readonly name: string;
  readonly password: string;
}

/** etcd's: a token that nobody used for this long is forgotten; its client asks for another one. */
const TOKEN_TTL_MS = 300_000;
const MAX_TOKENS = 10_000;

export class Gatekeeper {
  readonly #user: Credentials;
  readonly #clock: Clock;
  readonly #random: Random;
  /** Token to the time when it was last used, the longest unused first. */
  readonly #tokens = new Map<string, number>();

  constructor(user: Credentials, clock: Clock, random: Random) {
    this.#user = user;
    this.#clock = clock;
    this.#random = random;
  }

  /** @throws StatusError */
  token({ name, password }: Credentials): string {
    // Both are compared, and to the end, so that the time tells nothing.
    const alike = [same(name, this.#user.name), same(password, this.#user.password)];
    if (alike.includes(false)) throw statusError('authFailed');
    const token = this.#random.id();
    this.#tokens.set(token, this.#clock.now());
    for (const oldest of this.#tokens.keys()) {
      if (this.#tokens.size <= MAX_TOKENS) break;
      this.#tokens.delete(oldest);
    }
    return token;
  }

  /** @throws StatusError in the words by which etcd's clients know that they must authenticate (again) */
  check(metadata: Metadata): void {
    const token = metadata.get('token') ?? metadata.get('authorization');
    if (token === undefined) throw statusError('userEmpty');
    const usedAt = this.#tokens.get(token);
    const now = this.#clock.now();
    if (usedAt !== undefined) this.#tokens.delete(token);
    if (usedAt === undefined || now - usedAt > TOKEN_TTL_MS) throw statusError('invalidToken');
    this.#tokens.set(token, now);
  }
}

function same(given: string, kept: string): boolean {
  let difference = given.length ^ kept.length;
  for (let i = 0; i < given.length; i++)
    difference |= given.charCodeAt(i) ^ kept.charCodeAt(i % (kept.length || 1));
  return difference === 0;
}

export function authMethods(
  gatekeeper: Gatekeeper | undefined,
  headers: Headers,
  revision: () => Promise<number>,
): [path: string, method: Method][] {
  return [
    unary('Auth/Authenticate', async (request: Credentials) => {
      if (gatekeeper === undefined) throw statusError('authNotEnabled');
      const token = gatekeeper.token(request);
      return { header: headers.at(await revision()), token };
    }),
    unary('Auth/AuthStatus', async () => ({
      header: headers.at(await revision()),
      enabled: gatekeeper !== undefined,
    })),
  ];
}

/** The same methods, for those who may. */
export function guarded(methods: Methods, gatekeeper: Gatekeeper): Methods {
  const open = new Set(['/etcdserverpb.Auth/Authenticate']);
  const entries = [...methods].map(([path, method]): [string, Method] =>
    open.has(path) ? [path, method] : [path, behind(method, gatekeeper)],
  );
  return new Map(entries);
}

function behind(method: Method, gatekeeper: Gatekeeper): Method {
  if (method.type === 'unary') {
    return {
      type: 'unary',
      answer(request, metadata) {
        gatekeeper.check(metadata);
        return method.answer(request, metadata);
      },
    };
  }
  return {
    type: 'stream',
    open(replies, metadata) {
      gatekeeper.check(metadata);
      return method.open(replies, metadata);
    },
  };
}
