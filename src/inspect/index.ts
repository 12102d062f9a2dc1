// `holdfast/inspect`: machines as documents, code, diagrams and SCXML.
// Invariant: re-exports only.
export type { ChartOptions } from './chart.ts';
export { toDot } from './dot.ts';
export { fromScxml } from './from-scxml.ts';
export { toScxml } from './scxml.ts';
export { toDocument } from './document.ts';
export type {
  DocumentOptions,
  Documented,
  InvokeDocument,
  MachineDocument,
  StateDocument,
  TransitionDocument,
  Transitions,
} from './document.ts';
export { toJson } from './json.ts';
export { toMermaid } from './mermaid.ts';
export type { Implementations, Named } from './names.ts';
export { toStately } from './stately.ts';
export type { StatelyEvent } from './stately-event.ts';
export { createStatelyFeed, type StatelyFeed, type StatelyFeedOptions } from './stately-feed.ts';
export { WatchedApps, type AppConnection, type Taken, type WatchedAppsOptions } from './watched-apps.ts';
export { INSPECT_PATH, INSPECT_SUBPROTOCOL } from '../protocol/inspection.ts';
export { readRecording, type Recording } from '../protocol/recording.ts';
export { traceRecording, type TraceText } from './trace-recording.ts';
export { logRecording, type LogRecordingOptions } from './stream/log-recording.ts';
export {
  serveInspection,
  type InspectionOf,
  type ServedInspection,
  type ServeInspectionOptions,
} from './stream/serve.ts';
