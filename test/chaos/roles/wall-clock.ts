// Preloaded with `--import`: a wall clock that can be set while the process runs. The monotonic clocks stay as they are.
// Invariant: every way of asking for the present wall time is shifted; nothing else is.
const Real = Date;
let shiftMs = 0;

class SettableDate extends Real {
  constructor(...given: [] | ConstructorParameters<DateConstructor>) {
    if (given.length === 0) super(Real.now() + shiftMs);
    else super(...given);
  }
  static override now(): number {
    return Real.now() + shiftMs;
  }
}

globalThis.Date = SettableDate as unknown as DateConstructor;
Object.assign(globalThis, { setWallClockBy: (ms: number): void => void (shiftMs += ms) });
