// What a hub keeps in the store, as a person can read it: JSON under /holdfast/.
// Invariant: durations and counts, never a point in time; keys name ids in percent-encoding, so that every id is one segment.
import { z } from 'zod';

/** The root of everything that a fleet keeps: `etcdctl watch --prefix /holdfast/`. */
const ROOT = '/holdfast/';
const NODES = `${ROOT}nodes/`;

/** One for each hub id: which start of it is the newest. */
export const hubRecord = z.object({
  /** Starts of this hub so far, this one included. */
  epoch: z.int().min(1),
  /** Of this start. */
  instance: z.string(),
});

/** One for each node id. */
export const nodeRecord = z.object({
  /** State of its session, as far as the hub knew: `online`, `absent`, `expired` … */
  state: z.string(),
  /** Id of the hub that it is, or was, at. */
  hub: z.string(),
  instance: z.string(),
  labels: z.record(z.string(), z.string()),
  functions: z.array(z.string()),
  totalTasksExecuted: z.int().min(0),
  /** Milliseconds since it was first seen, the downtime of hubs aside; as of the last change of this record. */
  ageMs: z.number().min(0),
});

export type NodeRecord = z.infer<typeof nodeRecord>;

const byteFrame = z.object({ type: z.int(), flags: z.int(), base64: z.string() });
const instanceOf = z.object({ id: z.string(), instance: z.string() });

/** One for each durable call that somebody still waits for. */
export const callRecord = z.object({
  client: instanceOf,
  attempt: z.int().min(1),
  function: z.string(),
  target: z
    .object({ node: z.string().optional(), labels: z.record(z.string(), z.string()).optional() })
    .nullable(),
  /** Of its CALL frame: idempotent, stream, encoding. */
  flags: z.int(),
  /** Milliseconds until its deadline, when it was written. */
  deadlineMs: z.int().min(1),
  /** Its frames, with the arguments in them. */
  frames: z.array(byteFrame),
  /** The node that has it, or is about to; null: it was never sent. */
  node: instanceOf.nullable(),
});

export type CallRecord = z.infer<typeof callRecord>;

export const callsPrefix = (hub: string): string => `${ROOT}calls/${encodeURIComponent(hub)}/`;
export const callKey = (hub: string, client: string, attempt: number): string =>
  `${callsPrefix(hub)}${encodeURIComponent(client)}/${attempt}`;

export const hubKey = (id: string): string => `${ROOT}hubs/${encodeURIComponent(id)}`;
export const nodeKey = (id: string): string => NODES + encodeURIComponent(id);
/** There while the node may be asked for it: `{"instance": …}`. */
export const functionKey = (name: string, id: string): string =>
  `${ROOT}functions/${encodeURIComponent(name)}/${encodeURIComponent(id)}`;

export const nodesPrefix: string = NODES;

/** The node id in a key that `nodeKey` made; undefined for another key. */
export function nodeIdOf(key: string): string | undefined {
  try {
    return decodeURIComponent(key.slice(NODES.length));
  } catch {
    return undefined;
  }
}
