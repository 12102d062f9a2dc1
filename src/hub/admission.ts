// Who may join: by the shared token, or by what the application decides.
// Invariant: a decision that fails lets nobody in.
import type { Log } from '../ports.ts';
import { FrameType } from '../protocol/frames.ts';
import type { RegisterMessage } from '../protocol/messages.ts';
import type { Accepted } from './accepted.ts';
import type { HubOptions } from './options.ts';

export async function mayJoin(
  { role, id, token, labels }: Pick<RegisterMessage, 'role' | 'id' | 'token' | 'labels'>,
  { verify, token: secret }: Pick<HubOptions, 'verify' | 'token'>,
  log: Log,
): Promise<boolean> {
  if (verify === undefined)
    return secret === undefined || (token !== undefined && equalSecrets(secret, token));
  try {
    return await verify({ role, id, token, labels });
  } catch (error) {
    log.error({ [role]: id, error: String(error) }, `verify failed for ${id}: ${String(error)}`);
    return false;
  }
}

/** Tells a peer why it may not join, logs it, and closes its connection with `code`. */
export function refuseRegistration(
  link: Accepted,
  { role, id, epoch, registrationEpoch }: RegisterMessage,
  { code, ...why }: { terminal: boolean; retryAfterMs: number; reason: string; code: number },
  log: Log,
): void {
  link.outbox.json(FrameType.REFUSED, 0, 0, 0, { epoch, registrationEpoch, ...why });
  link.breakOff(code, why.reason);
  log.warn({ [role]: id, from: link.remoteAddress }, `refused ${id}: ${why.reason}`);
}

/** Compares in a time that does not tell how much of the secret was right. */
export function equalSecrets(secret: string, given: string): boolean {
  let difference = secret.length ^ given.length;
  for (let i = 0; i < secret.length; i++)
    difference |= secret.charCodeAt(i) ^ (given.charCodeAt(i % (given.length || 1)) || 0);
  return difference === 0;
}
