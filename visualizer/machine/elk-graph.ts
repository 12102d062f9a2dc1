// A statechart as a graph for ELK, and what ELK made of it as places to draw at.
// Invariant: every text gets the room that it was measured to need, so no label lies on another or on a box.
import type { ElkEdgeSection, ElkExtendedEdge, ElkNode, ElkPoint } from 'elkjs/lib/elk-api.js';
import type { Arrow, Box, Statechart } from './statechart.ts';
import { BOX, boxSize, ROW, rowsOf, type Row, type Rows, type Size, type TextWidth } from './text-size.ts';

/** ELK's own options, by their names without `elk.`. */
export type Options = Readonly<Record<string, string>>;

export interface Rectangle extends Size {
  readonly x: number;
  readonly y: number;
}

export interface PlacedBox extends Rectangle {
  readonly box: Box;
}

export interface PlacedArrow {
  readonly arrow: Arrow;
  /** Empty when it is written into the box that it begins at. */
  readonly points: readonly ElkPoint[];
  readonly label: Rectangle;
  readonly rows: readonly Row[];
}

/** A dot and an arrow that show where a state starts. */
export interface PlacedStart {
  readonly box: string;
  readonly dot: ElkPoint;
  readonly points: readonly ElkPoint[];
}

/** All places are those of the whole picture, in its own units: pixels at the size at which texts were measured. */
export interface Placed extends Size {
  readonly chart: Statechart;
  /** Outer boxes come before those in them. */
  readonly boxes: readonly PlacedBox[];
  readonly arrows: readonly PlacedArrow[];
  readonly starts: readonly PlacedStart[];
}

const DOT = 10;
/** Names that no box has: those are encoded, and `!` comes first. */
const startOf = (box: string): string => `!start ${box}`;
const nodeOf = (box: string): string => `!box ${box}`;

const WHOLE: Options = {
  algorithm: 'layered',
  hierarchyHandling: 'INCLUDE_CHILDREN',
  edgeRouting: 'ORTHOGONAL',
  'json.shapeCoords': 'ROOT',
  'json.edgeCoords': 'ROOT',
  padding: '[top=8,left=8,bottom=8,right=8]',
};

/** Every level of the hierarchy has its own. */
const LEVEL: Options = {
  'spacing.nodeNode': '20',
  'spacing.edgeNode': '12',
  'spacing.edgeEdge': '10',
  'spacing.edgeLabel': '3',
  'spacing.labelLabel': '6',
  'spacing.labelNode': '6',
  'spacing.nodeSelfLoop': '12',
  'spacing.componentComponent': '20',
  'layered.spacing.nodeNodeBetweenLayers': '26',
  'layered.spacing.edgeNodeBetweenLayers': '12',
  'layered.spacing.edgeEdgeBetweenLayers': '9',
};

const withPrefix = (options: Options): Record<string, string> =>
  Object.fromEntries(Object.entries(options).map(([name, value]) => [`elk.${name}`, value]));

/** From so many arrows on, some are words in the boxes that they begin at, since they would cross everything. */
const MANY_ARROWS = 14;
const VERY_MANY_ARROWS = 36;
/** In a chart with very many, so many into one box are a knot. */
const KNOT = 6;

/** 'fewer': arrows into final states, and into where very many lead, are words in the box that they begin at. */
export type Arrows = 'fewer' | 'all';

/** The arrows that are written rather than drawn. */
function writtenIn({ boxes, arrows }: Statechart, shown: Arrows): Set<Arrow> {
  if (shown === 'all' || arrows.length < MANY_ARROWS) return new Set();
  const isOwn = ({ from, to }: Arrow): boolean => from === to || from === '' || to === '';
  const written = arrows.filter((arrow) => !isOwn(arrow) && boxes.get(arrow.to)?.kind === 'final');
  const drawn = arrows.filter((arrow) => !written.includes(arrow));
  if (drawn.length < VERY_MANY_ARROWS) return new Set(written);
  const into = Map.groupBy(
    drawn.filter((arrow) => !isOwn(arrow)),
    ({ to }) => to,
  );
  const knots = [...into.values()].filter((some) => some.length >= KNOT).flat();
  return new Set([...written, ...knots]);
}

export class ChartGraph {
  readonly #chart: Statechart;
  readonly #rows = new Map<Arrow, Rows>();
  readonly #exits = new Map<string, Arrow[]>();
  readonly #sizes = new Map<string, Size>();

  constructor(chart: Statechart, widthOf: TextWidth, shown: Arrows) {
    this.#chart = chart;
    const written = writtenIn(chart, shown);
    for (const arrow of chart.arrows) {
      const exit = written.has(arrow);
      if (exit) this.#exits.set(arrow.from, [...(this.#exits.get(arrow.from) ?? []), arrow]);
      const goal = exit ? goalIn(chart, arrow.to) : undefined;
      this.#rows.set(arrow, rowsOf(arrow.lines, widthOf, goal));
    }
    for (const box of chart.boxes.values()) {
      const below = (this.#exits.get(box.id) ?? []).map((arrow) => this.#rowsOf(arrow));
      this.#sizes.set(box.id, boxSize(box, below, widthOf));
    }
  }

  /** The graph for ELK. `options` are what is tried beside the common ones. */
  toElk(options: Options): ElkNode {
    const level = withPrefix({ ...LEVEL, ...options });
    const arrows = this.#chart.arrows.filter((arrow) => !this.#isInside(arrow));
    return {
      id: '!chart',
      layoutOptions: { ...withPrefix(WHOLE), ...level },
      children: this.#node('', level, options['direction'] === 'RIGHT' ? 'RIGHT' : 'DOWN'),
      edges: [
        ...[...this.#chart.boxes.values()].flatMap(({ id, initial }): ElkExtendedEdge[] =>
          initial === undefined
            ? []
            : [{ id: startOf(id), sources: [startOf(id)], targets: [nodeOf(initial)] }],
        ),
        ...arrows.map((arrow) => this.#edge(arrow)),
      ],
    };
  }

  #node(id: string, level: Record<string, string>, direction: 'DOWN' | 'RIGHT'): ElkNode[] {
    const box = this.#chart.boxes.get(id);
    const size = this.#sizes.get(id);
    if (box === undefined || size === undefined) return [];
    if (box.children.length === 0) return [{ id: nodeOf(id), ...size, ...this.#place(box) }];
    const start = box.initial === undefined ? [] : [{ id: startOf(id), width: DOT, height: DOT }];
    const own = withPrefix({
      padding: `[top=${size.height + BOX.gap},left=12,bottom=14,right=12]`,
      'nodeSize.constraints': 'MINIMUM_SIZE',
      // ELK lays out what goes down as if it went right, and forgets to turn this one with the rest.
      'nodeSize.minimum':
        direction === 'RIGHT' ? `(${size.width}, ${size.height})` : `(${size.height}, ${size.width})`,
    });
    const children = box.children.flatMap((child) => this.#node(child, level, direction));
    return [{ id: nodeOf(id), layoutOptions: { ...level, ...own }, children: [...start, ...children] }];
  }

  /** A final state that no arrow is drawn to would stand at the top, beside where it all begins. */
  #place({ id, kind }: Box): Pick<ElkNode, 'layoutOptions'> {
    const isAlone = !this.#chart.arrows.some((arrow) => arrow.to === id && !this.#isInside(arrow));
    return kind === 'final' && isAlone
      ? { layoutOptions: { 'elk.layered.layering.layerConstraint': 'LAST' } }
      : {};
  }

  #edge(arrow: Arrow): ElkExtendedEdge {
    const { width, height } = this.#rowsOf(arrow);
    const inline = { 'elk.edgeLabels.inline': 'true', 'elk.edgeLabels.placement': 'CENTER' };
    const label = { id: arrow.id, text: 'rows', width, height, layoutOptions: inline };
    return { id: arrow.id, sources: [nodeOf(arrow.from)], targets: [nodeOf(arrow.to)], labels: [label] };
  }

  /** Reads the places from what ELK returned. */
  placed(graph: ElkNode): Placed {
    const nodes = new Map<string, Rectangle>();
    const collect = ({ id, x = 0, y = 0, width = 0, height = 0, children = [] }: ElkNode): void => {
      nodes.set(id, { x, y, width, height });
      children.forEach(collect);
    };
    collect(graph);
    const edges = new Map((graph.edges ?? []).map((edge) => [edge.id, edge]));
    const boxes = [...this.#chart.boxes.values()].map((box) => ({
      box,
      ...(nodes.get(nodeOf(box.id)) ?? { x: 0, y: 0, width: 0, height: 0 }),
    }));
    return {
      chart: this.#chart,
      width: graph.width ?? 0,
      height: graph.height ?? 0,
      boxes,
      arrows: [
        ...boxes.flatMap((box) => this.#exitsOf(box)),
        ...this.#chart.arrows
          .filter((arrow) => !this.#isInside(arrow))
          .map((arrow) => this.#placedArrow(arrow, edges.get(arrow.id))),
      ],
      starts: boxes.flatMap(({ box: { id } }): PlacedStart[] => {
        const dot = nodes.get(startOf(id));
        if (dot === undefined) return [];
        const center = { x: dot.x + DOT / 2, y: dot.y + DOT / 2 };
        return [{ box: id, dot: center, points: pointsOf(edges.get(startOf(id))?.sections) }];
      }),
    };
  }

  #placedArrow(arrow: Arrow, edge: ElkExtendedEdge | undefined): PlacedArrow {
    const { x = 0, y = 0, width = 0, height = 0 } = edge?.labels?.[0] ?? {};
    const { rows } = this.#rowsOf(arrow);
    return { arrow, points: pointsOf(edge?.sections), label: { x, y, width, height }, rows };
  }

  #exitsOf({ box, x, y }: PlacedBox): PlacedArrow[] {
    let top = y + BOX.padY + BOX.titleHeight + (box.lines.length + box.delays.length) * ROW.height - ROW.padY;
    return (this.#exits.get(box.id) ?? []).map((arrow) => {
      const { width, height, rows } = this.#rowsOf(arrow);
      const label = { x: x + BOX.padX - ROW.padX, y: top, width, height };
      top += height - 2 * ROW.padY;
      return { arrow, points: [], label, rows };
    });
  }

  #isInside(arrow: Arrow): boolean {
    return this.#exits.get(arrow.from)?.includes(arrow) ?? false;
  }

  #rowsOf(arrow: Arrow): Rows {
    return this.#rows.get(arrow) ?? { rows: [], width: 0, height: 0 };
  }
}

/** A name that two boxes have is said with the one around. */
function goalIn({ boxes }: Statechart, id: string): string {
  const { name = '', parent = '' } = boxes.get(id) ?? {};
  const alike = [...boxes.values()].filter((other) => other.name === name);
  return alike.length < 2 || parent === '' ? name : `${boxes.get(parent)?.name ?? ''}.${name}`;
}

const pointsOf = (sections: readonly ElkEdgeSection[] = []): ElkPoint[] =>
  sections.flatMap(({ startPoint, bendPoints = [], endPoint }) => [startPoint, ...bendPoints, endPoint]);

/** How large the picture can be shown in this room. */
export const scaleIn = (placed: Size, room: Size): number =>
  Math.min(room.width / Math.max(1, placed.width), room.height / Math.max(1, placed.height));
