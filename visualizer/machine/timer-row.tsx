// A delay in its box: its name, and while it runs the time that it has left.
// Invariant: redraws itself and nothing else, ten times a second, and only while the delay runs.
import { useEffect, useState } from 'react';
import type { TimeLeft } from './shown.ts';
import { shortened } from './text-size.ts';

const EVERY_MS = 100;

export function inSeconds(ms: number): string {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 100) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export interface TimerRowProps {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly left: TimeLeft | undefined;
}

export function TimerRow({ name, x, y, width, left }: TimerRowProps) {
  if (left === undefined)
    return (
      <g className="state-delay">
        <Clock x={x} y={y} />
        <text x={x + 13} y={y}>
          {shortened(name)}
        </text>
      </g>
    );
  return <Running name={name} x={x} y={y} width={width} left={left} />;
}

function Clock({ x, y }: { readonly x: number; readonly y: number }) {
  return (
    <path className="clock" d={`M${x + 1} ${y - 4}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0M${x + 5} ${y - 6.5}v2.5h2`} />
  );
}

function Running({ name, x, y, width, left }: TimerRowProps & { readonly left: TimeLeft }) {
  const [, redraw] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => redraw((n) => n + 1), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const { startedAt, delayMs, now } = left;
  const leftMs = Math.min(delayMs, Math.max(0, startedAt + delayMs - now()));
  const part = delayMs <= 0 ? 0 : leftMs / delayMs;
  return (
    <g className="state-delay running">
      <Clock x={x} y={y} />
      <text x={x + 13} y={y}>
        {shortened(name)}
      </text>
      <text className="left" x={x + width} y={y} textAnchor="end">
        {inSeconds(leftMs)}
      </text>
      <rect className="track" x={x} y={y + 3} width={width} height={2} rx={1} />
      <rect className="rest" x={x} y={y + 3} width={Math.max(0, width * part)} height={2} rx={1} />
    </g>
  );
}
