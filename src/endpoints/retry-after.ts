// Reads `Retry-After`: how long an endpoint asks to be left alone.
// Invariant: an answer is a duration; a date is held against the sender's own clock where the sender told it.
import type { WallClock } from '../ports.ts';

const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';
const DAY_MS = 86_400_000;

/** Days since 1970-01-01 in the Gregorian calendar; `month` from 1 (Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013). */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** `Sun, 06 Nov 1994 08:49:37 GMT`, the form to send; and the two old forms, `Sunday, 06-Nov-94 …` and `Sun Nov  6 … 1994`. */
const FIXED = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const RFC_850 = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;

/** An HTTP date (RFC 9110, section 5.6.7) as milliseconds since 1970; undefined for anything else. */
export function parseHttpDate(text: string): number | undefined {
  const now = FIXED.exec(text);
  if (now !== null) return dateOf(now[3], now[2], now[1], now[4], now[5], now[6]);
  const old = RFC_850.exec(text);
  if (old !== null) {
    // Two digits: the RFC lets a recipient read more than 50 years ahead as the past.
    const short = Number(old[3]);
    return dateOf(String(short < 70 ? 2000 + short : 1900 + short), old[2], old[1], old[4], old[5], old[6]);
  }
  const c = ASCTIME.exec(text);
  return c === null ? undefined : dateOf(c[6], c[1], c[2], c[3], c[4], c[5]);
}

function dateOf(
  year = '',
  monthName = '',
  day = '',
  hours = '',
  minutes = '',
  seconds = '',
): number | undefined {
  const month = MONTHS.indexOf(monthName) / 3 + 1;
  const inTime = Number(hours) < 24 && Number(minutes) < 60 && Number(seconds) <= 60;
  if (!Number.isInteger(month) || month < 1 || Number(day) < 1 || Number(day) > 31 || !inTime)
    return undefined;
  const ofDay = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1_000;
  return daysSinceEpoch(Number(year), month, Number(day)) * DAY_MS + ofDay;
}

export interface RetryAfterHeaders {
  /** The header `Retry-After`: whole seconds, or an HTTP date. */
  readonly retryAfter?: string | undefined;
  /** The header `Date` of the same answer. */
  readonly date?: string | undefined;
}

/**
 * Milliseconds from now on; 0 when nothing was asked for, or nothing that can be read, or what is over already. A date counts
 * from the answer's own `Date`, so that neither clock need be right; without one, from the wall clock.
 */
export function retryAfterMs(
  { retryAfter, date }: RetryAfterHeaders,
  wallClock: WallClock,
  maxMs: number,
): number {
  const text = retryAfter?.trim();
  if (text === undefined || text === '') return 0;
  if (/^\d+$/.test(text)) return Math.min(maxMs, Number(text) * 1_000);
  const until = parseHttpDate(text);
  if (until === undefined) return 0;
  const from = (date === undefined ? undefined : parseHttpDate(date.trim())) ?? wallClock.now();
  return Math.min(maxMs, Math.max(0, until - from));
}
