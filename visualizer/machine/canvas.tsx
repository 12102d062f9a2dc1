// The frame that a chart is looked at through: moved and zoomed by mouse, touch and keyboard.
// Invariant: the picture inside is drawn once; moving it changes one transform and nothing else.
import { useCallback, useEffect, useRef, useState, type ReactNode, type Ref } from 'react';
import { useImperativeHandle } from 'react';
import type { Rectangle } from './elk-graph.ts';
import { centered, firstSight, fitting, isInSight, zoomed, type Sight } from './pan-zoom.ts';
import type { Size } from './text-size.ts';

/** What the tools above it ask of a canvas. */
export interface CanvasTools {
  fit(): void;
  zoom(factor: number): void;
  /** Moves it into sight, unless it is there. */
  show(place: Rectangle, how: 'always' | 'when hidden'): void;
}

export interface CanvasProps {
  readonly label: string;
  readonly picture: Size | undefined;
  /** What to look at first when all of it would be too small to read. */
  readonly focus: Rectangle | undefined;
  readonly tools: Ref<CanvasTools>;
  readonly children?: ReactNode;
  readonly onRoom: (room: Size) => void;
}

const STEP_PX = 60;
const ZOOM_STEP = 1.2;

export function Canvas({ label, picture, focus, tools, children, onRoom }: CanvasProps) {
  const frame = useRef<HTMLDivElement>(null);
  const room = useRoom(frame, onRoom);
  const [sight, setSight] = useState<Sight>({ x: 0, y: 0, k: 1 });
  const [motion, setMotion] = useState<'still' | 'dragging' | 'gliding'>('still');
  const seen = useRef<Size | undefined>(undefined);

  // A picture that is new is looked at from its first sight; one that was looked at stays where it is.
  useEffect(() => {
    if (picture === undefined || room === undefined || seen.current === picture) return;
    seen.current = picture;
    setMotion('still');
    setSight(firstSight(picture, room, focus));
  }, [picture, room, focus]);

  const glide = useCallback((next: (sight: Sight) => Sight) => {
    setMotion('gliding');
    setSight(next);
  }, []);
  const zoom = useCallback(
    (factor: number) => glide((now) => zoomed(now, factor, (room?.width ?? 0) / 2, (room?.height ?? 0) / 2)),
    [glide, room],
  );
  const fit = useCallback(() => {
    if (picture !== undefined && room !== undefined) glide(() => fitting(picture, room));
  }, [glide, picture, room]);

  useImperativeHandle(
    tools,
    () => ({
      fit,
      zoom,
      show: (place, how) => {
        if (picture === undefined || room === undefined) return;
        setSight((now) => {
          if (how === 'when hidden' && isInSight(now, place, room)) return now;
          setMotion('gliding');
          return centered(now, place, room, picture);
        });
      },
    }),
    [fit, zoom, picture, room],
  );

  useWheel(frame, (factor, x, y) => {
    setMotion('still');
    setSight((now) => zoomed(now, factor, x, y));
  });
  const pointers = usePointers((dx, dy, factor, x, y) => {
    setMotion('dragging');
    setSight((now) => zoomed({ ...now, x: now.x + dx, y: now.y + dy }, factor, x, y));
  });

  const onKeyDown = (event: React.KeyboardEvent): void => {
    const moves: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [STEP_PX, 0],
      ArrowRight: [-STEP_PX, 0],
      ArrowUp: [0, STEP_PX],
      ArrowDown: [0, -STEP_PX],
    };
    const move = moves[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (move !== undefined) glide((now) => ({ ...now, x: now.x + move[0], y: now.y + move[1] }));
    else if (event.key === '+' || event.key === '=') zoom(ZOOM_STEP);
    else if (event.key === '-') zoom(1 / ZOOM_STEP);
    else if (event.key === '0') fit();
    else return;
    event.preventDefault();
  };

  const { x, y, k } = sight;
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- it is moved by pointers and keys
    <div
      ref={frame}
      className={`chart-canvas ${motion}`}
      role="application"
      aria-label={`${label}. Arrow keys move it, plus and minus zoom, 0 shows all of it.`}
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it is moved by the keyboard
      tabIndex={0}
      onKeyDown={onKeyDown}
      {...pointers}
      onPointerUp={(event) => {
        pointers.onPointerUp(event);
        setMotion('still');
      }}
    >
      <svg>
        <g
          className={motion === 'gliding' ? 'chart-view gliding' : 'chart-view'}
          style={{ transform: `translate(${x}px, ${y}px) scale(${k})` }}
        >
          {children}
        </g>
      </svg>
    </div>
  );
}

function useRoom(
  frame: React.RefObject<HTMLDivElement | null>,
  onRoom: (room: Size) => void,
): Size | undefined {
  const [room, setRoom] = useState<Size>();
  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => {
      const size = { width: element.clientWidth, height: element.clientHeight };
      if (size.width === 0 || size.height === 0) return;
      setRoom(size);
      onRoom(size);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [frame, onRoom]);
  return room;
}

/** React listens to the wheel passively, and then the page would scroll. */
function useWheel(
  frame: React.RefObject<HTMLDivElement | null>,
  onZoom: (factor: number, x: number, y: number) => void,
): void {
  const latest = useRef(onZoom);
  useEffect(() => {
    latest.current = onZoom;
  });
  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const onWheel = (event: WheelEvent): void => {
      event.preventDefault();
      const { left, top } = element.getBoundingClientRect();
      const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 18 : 1);
      latest.current(Math.exp(-pixels * 0.0016), event.clientX - left, event.clientY - top);
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  }, [frame]);
}

type Moved = (dx: number, dy: number, factor: number, x: number, y: number) => void;

/** One pointer moves, two pinch. */
function usePointers(onMove: Moved) {
  const down = useRef(new Map<number, { x: number; y: number }>());
  const end = (event: React.PointerEvent): void => void down.current.delete(event.pointerId);
  return {
    onPointerDown: (event: React.PointerEvent): void => {
      if (event.pointerType === 'mouse' && event.button !== 0) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      down.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    },
    onPointerMove: (event: React.PointerEvent): void => {
      const before = down.current.get(event.pointerId);
      if (before === undefined) return;
      const now = { x: event.clientX, y: event.clientY };
      const other = [...down.current].find(([id]) => id !== event.pointerId)?.[1];
      down.current.set(event.pointerId, now);
      const { left, top } = event.currentTarget.getBoundingClientRect();
      if (other === undefined) return onMove(now.x - before.x, now.y - before.y, 1, 0, 0);
      const apart = (point: { x: number; y: number }): number =>
        Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
      onMove(0, 0, apart(now) / apart(before), other.x - left, other.y - top);
    },
    onPointerUp: end,
    onPointerCancel: end,
  };
}
