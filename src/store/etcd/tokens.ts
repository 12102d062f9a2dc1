// The token of a user and password, which etcd forgets after some minutes without use, or when its rights change.
// Invariant: at most one request for a token is under way; whoever needs one meanwhile waits for its answer.
import type { Channel, RpcFailure, RpcMetadata } from './transport.ts';

export interface User {
  readonly name: string;
  readonly password: string;
}

const none: RpcMetadata = {};

export class Tokens {
  readonly #user: User | undefined;
  readonly #waiters: ((metadata: RpcMetadata | undefined, failure: RpcFailure | undefined) => void)[] = [];
  #metadata: RpcMetadata | undefined;

  constructor(user: User | undefined) {
    this.#user = user;
    if (user === undefined) this.#metadata = none;
  }

  /** Calls back, now or later, with the metadata of a request, or with why there is no token. */
  get(
    channel: Channel,
    done: (metadata: RpcMetadata | undefined, failure: RpcFailure | undefined) => void,
  ): void {
    if (this.#metadata !== undefined) return done(this.#metadata, undefined);
    this.#waiters.push(done);
    if (this.#waiters.length > 1 || this.#user === undefined) return;
    channel.unary('Auth.Authenticate', this.#user, none, {
      answered: (response) => this.#answer({ token: (response as { readonly token: string }).token }),
      failed: (failure) => {
        // A server without users takes everybody.
        if (failure.message.includes('authentication is not enabled')) this.#answer(none);
        else this.#answer(undefined, failure);
      },
    });
  }

  /** A request with this metadata was refused: the next one gets another token. */
  refused(metadata: RpcMetadata): void {
    if (metadata === this.#metadata && this.#user !== undefined) this.#metadata = undefined;
  }

  #answer(metadata: RpcMetadata | undefined, failure?: RpcFailure): void {
    this.#metadata = metadata;
    for (const done of this.#waiters.splice(0)) done(metadata, failure);
  }
}
