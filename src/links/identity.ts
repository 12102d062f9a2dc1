// What a link says of the process that dials: who it is, and, while somebody looks, what its machines do.
// Invariant: types only, nothing here runs.
import type { InspectMessage, RegisterMessage } from '../protocol/messages.ts';
import type { Outbox } from '../protocol/outbox.ts';
import type { Encoding } from '../protocol/values.ts';

/** Who dials, as the hub is told. */
export interface Identity {
  readonly role: 'node' | 'client';
  readonly id: string;
  readonly instance: string;
  readonly token: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly maxConcurrent: number;
  readonly encodings: readonly Encoding[];
  functions(): readonly string[];
  /** What the hubs that it was with called it; none for clients. */
  ordinals(): RegisterMessage['ordinals'];
}

/** Tells the hub's viewers what the machines of this process do, while there are any. */
export interface LinkInspection {
  asked(message: InspectMessage, outbox: Outbox): void;
  /** The next frame was sent by this step of the hub. */
  stamped(actor: string, clock: number): void;
  /** That frame was handled. */
  read(): void;
  /** The step that writes right now. */
  stamp(): RegisterMessage['step'];
  detached(): void;
  stop(): void;
}
