// Numbers and times as people read them.
// Invariant: pure; the same input gives the same text.

const plain = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export function countText(value: number): string {
  return value < 100_000 ? plain.format(value) : compact.format(value);
}

export function rateText(value: number): string {
  return value > 0 && value < 10 ? value.toFixed(1) : countText(value);
}

/** A duration, in its two largest units: `850 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`, `5 min`. */
export function durationText(ms: number): string {
  const abs = Math.max(0, ms);
  if (abs < 1_000) return `${Math.round(abs)} ms`;
  if (abs < 60_000) return `${Number((abs / 1_000).toFixed(abs < 10_000 ? 1 : 0))} s`;
  const minutes = Math.floor(abs / 60_000);
  if (minutes < 60) return two(minutes, 'min', Math.floor((abs % 60_000) / 1_000), 's');
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? two(hours, 'h', minutes % 60, 'min')
    : two(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function two(large: number, unit: string, small: number, smaller: string): string {
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smaller}`;
}

/** A moment: the time of day where that is known, else the time since the stream's beginning. */
export function momentText(
  at: number,
  began: { readonly at: number; readonly wallTime?: string | undefined } | undefined,
): string {
  const wall = began?.wallTime === undefined ? Number.NaN : Date.parse(began.wallTime);
  if (began === undefined || Number.isNaN(wall)) return `${(at / 1_000).toFixed(3)} s`;
  const date = new Date(wall + at - began.at);
  const digits = (value: number): string => String(value).padStart(2, '0');
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${digits(date.getHours())}:${digits(date.getMinutes())}:${digits(date.getSeconds())}.${ms}`;
}
