// The best of several layouts of a chart: the one that can be shown largest in the room that there is.
// Invariant: a chart that any of the layouts can do is drawn; the same chart in the same room is laid out the same.
import type { ElkNode } from 'elkjs/lib/elk-api.js';
import { ChartGraph, scaleIn, type Arrows, type Options, type Placed } from './elk-graph.ts';
import type { Statechart } from './statechart.ts';
import type { Size, TextWidth } from './text-size.ts';

/** ELK itself: in a worker in the page, in the process in tests. */
export type Lay = (graph: ElkNode) => Promise<ElkNode>;

export interface Layout {
  readonly room: Size;
  readonly arrows: Arrows;
  readonly lay: Lay;
}

/** Of all combinations tried over our machines the one that puts the start first and keeps arrows clear of texts. */
const CLEAR: Options = {
  'layered.cycleBreaking.strategy': 'DEPTH_FIRST',
  'layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
};

/** ELK fails on some graphs with some strategies; then the next of these is tried. The last has its defaults. */
const SPARE: readonly Options[] = [
  { ...CLEAR, 'layered.nodePlacement.strategy': 'BRANDES_KOEPF' },
  { 'layered.cycleBreaking.strategy': 'GREEDY', 'layered.nodePlacement.strategy': 'NETWORK_SIMPLEX' },
  {},
];

/** A chart that goes down reads better than one that goes right, unless it has to be so much smaller. */
const DOWN_IS_BETTER = 1.15;

/** @throws Error when no strategy can lay it out */
export async function layOut(
  chart: Statechart,
  widthOf: TextWidth,
  { room, arrows, lay }: Layout,
): Promise<Placed> {
  const graph = new ChartGraph(chart, widthOf, arrows);
  const attempt = async (options: Options): Promise<unknown> => {
    try {
      return graph.placed(await lay(graph.toElk(options)));
    } catch (error) {
      return error;
    }
  };
  const isPlaced = (result: unknown): result is Placed =>
    typeof result === 'object' && result !== null && 'boxes' in result;
  const down = await attempt({ direction: 'DOWN', ...CLEAR });
  const right = await attempt({ direction: 'RIGHT', ...CLEAR });
  if (isPlaced(down) && isPlaced(right))
    return Math.min(1, scaleIn(down, room)) * DOWN_IS_BETTER >= Math.min(1, scaleIn(right, room))
      ? down
      : right;
  if (isPlaced(down)) return down;
  if (isPlaced(right)) return right;
  let failure = down;
  for (const options of SPARE) {
    const spare = await attempt({ direction: 'DOWN', ...options });
    if (isPlaced(spare)) return spare;
    failure = spare;
  }
  throw new Error(`the chart of ${chart.id} cannot be laid out: ${String(failure)}`, { cause: failure });
}
