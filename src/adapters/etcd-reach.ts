// Who may reach a server of etcd's API, and how.
// Invariant: what is not plainly this machine alone needs TLS and a user, and TLS that can be had.
import { createSecureContext } from 'node:tls';
import { HoldfastError } from '../protocol/errors.ts';
import type { Credentials } from '../store/etcd-api/auth.ts';

export interface Reach {
  readonly host: string;
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly user?: Credentials | undefined;
}

/** @throws HoldfastError `invalid_option` that says what is missing */
export function checkReach({ host, tls, user }: Reach): void {
  if (user !== undefined && (user.name === '' || user.password === '')) {
    throw invalid('a user of the etcd API needs a name and a password that are not empty');
  }
  if (tls !== undefined) checkPem(tls);
  if (/^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(host)) return;
  const missing = [
    ...(tls === undefined ? ['TLS (--tls-cert and --tls-key, or the option tls)'] : []),
    ...(user === undefined ? ['a user (--user or --etcd-user name:password, or the option user)'] : []),
  ];
  if (missing.length === 0) return;
  throw invalid(
    `the etcd API at ${host} can be reached from other machines: it needs ${missing.join(' and ')}; ` +
      'or listen at 127.0.0.1',
  );
}

function checkPem(tls: { readonly cert: string; readonly key: string }): void {
  try {
    createSecureContext(tls);
  } catch (cause) {
    const why = (cause as Error).message;
    throw invalid(
      `no TLS comes of this certificate and this key (${why}); give two PEM texts that belong together`,
    );
  }
}

function invalid(message: string): HoldfastError {
  return new HoldfastError(message, { code: 'invalid_option' });
}
