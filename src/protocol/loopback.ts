// Which hosts are this machine alone: what listens there needs no secret, since nobody else can reach it.
// Invariant: a name that could be resolved to anything else is none of them.

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i;

/** `localhost`, 127.0.0.0/8 and ::1 (RFC 6761, RFC 1122, RFC 4291), the last with or without brackets. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);
