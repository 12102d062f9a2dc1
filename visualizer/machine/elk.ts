// ELK in a worker: loaded when the first chart is opened, never before.
// Invariant: one worker for the page; a layout that nobody waits for any more costs no frame.
import ElkApi from 'elkjs/lib/elk-api.js';
import workerUrl from 'elkjs/lib/elk-worker.min.js?url';
import type { Lay } from './layout.ts';

const elk = new ElkApi.default({ workerFactory: () => new Worker(workerUrl) });

export const layInWorker: Lay = (graph) => elk.layout(graph);
