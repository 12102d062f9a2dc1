// The URL of a cluster: `etcd://user:password@host:2379,host:2379`, or `etcds://` for TLS.
// Invariant: no message shows the password.
import { HoldfastError } from '../../protocol/errors.ts';
import type { User } from './tokens.ts';

export interface EtcdUrl {
  readonly security: 'plain' | 'tls';
  /** `host:port` each. */
  readonly endpoints: readonly string[];
  readonly user: User | undefined;
}

const DEFAULT_PORT = 2379;

/** @throws HoldfastError `invalid_option` */
export function parseEtcdUrl(url: string): EtcdUrl {
  const parts = /^(etcds?):\/\/(?:([^@]*)@)?([^/?#@]+)\/?$/.exec(url);
  if (parts === null) throw invalid(url, 'give etcd://host:2379,host:2379, or etcds:// for TLS');
  const [, scheme = '', who, hosts = ''] = parts;
  return {
    security: scheme === 'etcds' ? 'tls' : 'plain',
    endpoints: hosts.split(',').map((host) => endpointOf(url, host)),
    user: who === undefined ? undefined : userOf(url, who),
  };
}

function endpointOf(url: string, host: string): string {
  const parts = /^(\[[0-9a-fA-F:.%]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/.exec(host);
  const port = Number(parts?.[2] ?? DEFAULT_PORT);
  if (parts === null || port < 1 || port > 65_535)
    throw invalid(url, `"${host}" is no host and port; give host:2379`);
  return `${parts[1]}:${port}`;
}

function userOf(url: string, who: string): User {
  const at = who.indexOf(':');
  if (at < 1) throw invalid(url, 'give the user as user:password');
  try {
    return {
      name: decodeURIComponent(who.slice(0, at)),
      password: decodeURIComponent(who.slice(at + 1)),
    };
  } catch {
    throw invalid(url, 'the user or the password is not percent-encoded');
  }
}

function invalid(url: string, remedy: string): HoldfastError {
  const shown = url.replace(/\/\/.*@/, '//…@');
  return new HoldfastError(`the store ${JSON.stringify(shown)} is no etcd URL: ${remedy}`, {
    code: 'invalid_option',
  });
}
