// The layout of a document's chart, as a view needs it: not there yet, there, or impossible and why.
// Invariant: the same document, options and room are laid out once.
import { useEffect, useMemo, useState } from 'react';
import type { MachineDocument } from '../../src/inspect/document.ts';
import type { Arrows, Placed } from './elk-graph.ts';
import { layOut } from './layout.ts';
import { statechartOf, type Details, type Statechart } from './statechart.ts';
import { estimatedWidth, type Size, type TextWidth } from './text-size.ts';

export interface ChartOptions {
  readonly details: Details;
  readonly arrows: Arrows;
}

export type Laid =
  | { readonly state: 'loading' }
  | { readonly state: 'failed'; readonly message: string }
  | { readonly state: 'placed'; readonly placed: Placed };

/** The chart of a document; or the text that says what is wrong with it. */
export function useStatechart(
  document: MachineDocument | undefined,
  details: Details,
): Statechart | string | undefined {
  return useMemo(() => {
    if (document === undefined) return undefined;
    try {
      return statechartOf(document, details);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }, [document, details]);
}

const LOADING: Laid = { state: 'loading' };

/** Lays out anew when the chart changes; of the room only the first counts, so that nothing jumps while a window grows. */
export function useLayout(
  chart: Statechart | string | undefined,
  arrows: Arrows,
  room: Size | undefined,
): Laid {
  const [laid, setLaid] = useState<{ readonly of: unknown; readonly laid: Laid }>();
  const known = room !== undefined;
  const key = `${typeof chart === 'object' ? chart.id : ''} ${arrows}`;
  useEffect(() => {
    if (typeof chart !== 'object' || room === undefined) return undefined;
    let state: 'wanted' | 'given up' = 'wanted';
    const done = (result: Laid): void => {
      if (state === 'wanted') setLaid({ of: chart, laid: result });
    };
    import('./elk.ts')
      .then(({ layInWorker }) => layOut(chart, canvasWidth(), { room, arrows, lay: layInWorker }))
      .then((placed) => done({ state: 'placed', placed }))
      .catch((error: unknown) =>
        done({ state: 'failed', message: error instanceof Error ? error.message : String(error) }),
      );
    return () => {
      state = 'given up';
    };
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- the room counts once
  }, [chart, key, known]);
  if (typeof chart === 'string') return { state: 'failed', message: chart };
  return laid !== undefined && laid.of === chart ? laid.laid : LOADING;
}

/** Measures with the font that the page has. */
function canvasWidth(): TextWidth {
  const context = document.createElement('canvas').getContext('2d');
  const family = getComputedStyle(document.body).fontFamily;
  const known = new Map<string, number>();
  return (text, px, weight) => {
    const font = `${weight === 'bold' ? 600 : 400} ${px}px ${family}`;
    const key = `${font} ${text}`;
    let width = known.get(key);
    if (width === undefined) {
      if (context === null) return estimatedWidth(text, px, weight);
      context.font = font;
      width = context.measureText(text).width;
      known.set(key, width);
    }
    return width;
  };
}
