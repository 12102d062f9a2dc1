// Keeps a number of calls in flight for a while and counts what comes back.
// Invariant: every answer is checked; a wrong one fails the run.

export interface LoadRequest {
  readonly inFlight: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
}

export interface LoadResult {
  readonly callsPerSecond: number;
  /** One sample a call, in µs; taken only when one call is in flight. */
  readonly latenciesUs: Float64Array;
}

const MAX_SAMPLES = 200_000;

/** `call` makes one call of `add(1, 2)`. All subjects answer with a promise: that is what a caller has to live with. */
export function runLoad(call: () => Promise<unknown>, request: LoadRequest): Promise<LoadResult> {
  const { inFlight, warmUpMs, durationMs } = request;
  const samples = new Float64Array(inFlight === 1 ? MAX_SAMPLES : 0);
  const timed = inFlight === 1;
  return new Promise((resolve, reject) => {
    let phase: 'warming' | 'measuring' | 'ending' = 'warming';
    let waiting = 0;
    let counted = 0;
    let sampled = 0;
    let sentAt = 0;
    let startedAt = 0;
    let elapsedMs = 0;
    const start = (): void => {
      waiting += 1;
      if (timed) sentAt = performance.now();
      call().then(done, reject);
    };
    const done = (sum: unknown): void => {
      if (sum !== 3) return reject(new Error(`add(1, 2) is not ${JSON.stringify(sum)}`));
      waiting -= 1;
      if (phase === 'measuring') {
        counted += 1;
        if (timed && sampled < MAX_SAMPLES) {
          samples[sampled] = (performance.now() - sentAt) * 1_000;
          sampled += 1;
        }
      }
      if (phase !== 'ending') return start();
      if (waiting === 0) {
        resolve({ callsPerSecond: (counted / elapsedMs) * 1_000, latenciesUs: samples.slice(0, sampled) });
      }
    };
    for (let i = 0; i < inFlight; i += 1) start();
    setTimeout(() => {
      phase = 'measuring';
      startedAt = performance.now();
      setTimeout(() => {
        phase = 'ending';
        elapsedMs = performance.now() - startedAt;
      }, durationMs);
    }, warmUpMs);
  });
}

export interface PacedRequest {
  readonly durationMs: number;
  /** Pause between an answer and the next call. */
  readonly pauseMs: number;
}

/** One call at a time with pauses, as a person or a heartbeat does it; latencies in µs. */
export async function runPaced(call: () => Promise<unknown>, request: PacedRequest): Promise<Float64Array> {
  const samples: number[] = [];
  const endAt = performance.now() + request.durationMs;
  while (performance.now() < endAt) {
    const sentAt = performance.now();
    const sum = await call();
    samples.push((performance.now() - sentAt) * 1_000);
    if (sum !== 3) throw new Error(`add(1, 2) is not ${JSON.stringify(sum)}`);
    await new Promise((resolve) => setTimeout(resolve, request.pauseMs));
  }
  return Float64Array.from(samples);
}

export interface BulkRequest {
  readonly bytes: number;
  readonly durationMs: number;
}

/** Large arguments, one call at a time, for at least one call. A megabyte is 10⁶ bytes. */
export async function runBulk(
  call: (argument: Float32Array) => Promise<unknown>,
  request: BulkRequest,
): Promise<{ megabytesPerSecond: number; calls: number }> {
  const argument = new Float32Array(request.bytes / 4).fill(1.5);
  const startedAt = performance.now();
  let calls = 0;
  let elapsedMs = 0;
  do {
    const length = await call(argument);
    if (length !== argument.length)
      throw new Error(`sent ${argument.length} numbers, ${String(length)} came`);
    calls += 1;
    elapsedMs = performance.now() - startedAt;
  } while (elapsedMs < request.durationMs);
  return { megabytesPerSecond: (calls * request.bytes) / 1e6 / (elapsedMs / 1_000), calls };
}

/** Large arguments without end, for something else to be measured beside them. */
export function steadyBulk(call: (argument: Float32Array) => Promise<unknown>): {
  startBulk(bytes: number): Promise<void>;
  stopBulk(): Promise<void>;
} {
  let state: 'running' | 'stopping' = 'stopping';
  let ended = Promise.resolve();
  return {
    /** Resolves when the transfer is in full swing: its first call has returned. */
    async startBulk(bytes) {
      const argument = new Float32Array(bytes / 4).fill(1.5);
      state = 'running';
      await call(argument);
      const go = async (): Promise<void> => {
        while (state === 'running') await call(argument);
      };
      ended = go();
    },
    stopBulk() {
      state = 'stopping';
      return ended;
    },
  };
}
