// Curves over numbers: loss and accuracy by round. Drawn by uPlot, which is loaded when the first one is shown.
// Invariant: the numbers are beside it in words, so that nobody needs the picture.
import { useEffect, useRef } from 'react';
import 'uplot/dist/uPlot.min.css';
import UPlot from 'uplot';

export interface CurveProps {
  readonly x: readonly number[];
  readonly y: readonly (number | undefined)[];
  readonly label: string;
  readonly height: number;
}

export function Curve({ x, y, label, height }: CurveProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(undefined);
  const latest = useRef<UPlot.AlignedData>([[], []]);
  useEffect(() => {
    latest.current = [[...x], y.map((it) => it ?? null)];
    plot.current?.setData(latest.current);
  }, [x, y]);

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const make = (): void => {
      plot.current?.destroy();
      plot.current = new UPlot(optionsFor(element, label, height), latest.current, element);
    };
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    make();
    resized.observe(element);
    // Colours are read when it is drawn.
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const themed = new MutationObserver(make);
    themed.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    dark.addEventListener('change', make);
    return () => {
      resized.disconnect();
      themed.disconnect();
      dark.removeEventListener('change', make);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [label, height]);

  return <div className="curve" ref={box} aria-hidden="true" />;
}

/** Canvas knows no CSS variables: the colours as they are at this element. */
function optionsFor(element: HTMLElement, label: string, height: number): UPlot.Options {
  const colour = (name: string): string => {
    const probe = document.createElement('span');
    probe.style.color = `var(${name})`;
    element.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
  const axis = {
    stroke: colour('--text-soft'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false } },
    axes: [
      { ...axis, size: 24, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000] },
      { ...axis, size: 40 },
    ],
    series: [{}, { label, stroke: colour('--accent'), width: 2, points: { show: false }, spanGaps: true }],
  };
}
