// What every role process shares: questions from the test that forked it, and what it tells by itself.
// Invariant: a role answers each question once, and ends when the test that forked it is gone.

/** What a role tells without being asked. */
export type Told = { readonly event: string } & Readonly<Record<string, unknown>>;

export interface Question {
  readonly question: number;
  readonly ask: string;
  readonly args: readonly unknown[];
}

export interface Answer {
  readonly question: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** The options that the test gave, as JSON. */
export function roleOptions<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

export function tell(told: Told): void {
  if (process.connected) process.send?.(told);
}

/** Answers the test's questions. */
export function serve(answers: Readonly<Record<string, (...args: never[]) => unknown>>): void {
  process.on('disconnect', () => process.exit(1));
  process.on('message', (message: Question) => {
    const { question, ask, args } = message;
    Promise.resolve()
      .then(() => (answers[ask] as (...args: readonly unknown[]) => unknown)(...args))
      .then(
        (answer) => process.send?.({ question, answer } satisfies Answer),
        (error: unknown) => process.send?.({ question, error: String(error) } satisfies Answer),
      );
  });
}

/** Lets the process end by itself: the test is not listened to any more. */
export function leave(): void {
  process.removeAllListeners('disconnect');
  process.disconnect?.();
}
