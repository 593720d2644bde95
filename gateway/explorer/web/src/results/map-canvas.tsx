import {
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type PointerEvent,
  type ReactNode,
} from "react";
import { circleOf, degreesOf, distance, eastOf, MILES, type Area, type Spot } from "./area";
import { count } from "./format";
import { settle, type Measure } from "./labels";
import {
  clamp,
  fit,
  HEIGHT,
  scaleOf,
  WIDTH,
  zoomed,
  type Camera,
  type Outline,
  type Place,
  type Size,
} from "./projection";

interface Props {
  outline: Outline;
  places: Place[];
  selected: Place | null;
  onSelect(place: Place): void;
  /** The area that is searched, or being drawn. */
  area: Area | null;
  /** An area to be in view. */
  view: Area | null;
  /** Whether the next drag draws an area. */
  drawing: boolean;
  /** Told while an area is drawn or changed; null where none can be searched. */
  onDraw: ((area: Area) => void) | null;
  /** Told when the hand lets go of it. */
  onDrawn(area: Area): void;
  /** What lies over the map. */
  children: ReactNode;
}

/** What a hand does to the map: it moves it, draws an area, or changes its radius or its place. */
type Grip = { is: "map"; x: number; y: number } | { is: "new" | "radius"; middle: Spot } | { is: "middle" };

export function MapCanvas(props: Props) {
  const { outline, places, selected, onSelect, area, view, drawing, onDraw, onDrawn, children } = props;
  const { projection } = outline;
  const frame = useRef<HTMLDivElement>(null);
  const svg = useRef<SVGSVGElement>(null);
  const grip = useRef<Grip | null>(null);
  const pointer = useRef({ x: 0, y: 0 });
  const [size, setSize] = useState<Size>({ width: WIDTH, height: HEIGHT });
  const [camera, setCamera] = useState<Camera>(() => fit([], size));
  const scale = scaleOf(camera, size);

  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return undefined;
    // To the fraction of a pixel: a rounded box would shift everything that is drawn in it.
    const measure = () => {
      const { width, height } = element.getBoundingClientRect();
      setSize({ width: width || 1, height: height || 1 });
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const showAll = useCallback(() => {
    const edges = view ? edgesOf(view).flatMap((spot) => pointOf(spot, projection) ?? []) : [];
    setCamera(fit([...places, ...edges], size));
  }, [places, view, projection, size]);
  useLayoutEffect(showAll, [showAll]);
  useEffect(() => {
    if (selected) setCamera((old) => clamp({ k: Math.max(old.k, 2), x: selected.x, y: selected.y }));
  }, [selected]);

  const zoom = (factor: number, at = { x: 0, y: 0 }) => setCamera((old) => zoomed(old, factor, at, size));
  const pan = (dx: number, dy: number) =>
    setCamera((old) => {
      const step = scaleOf(old, size);
      return clamp({ ...old, x: old.x + dx / step, y: old.y + dy / step });
    });

  // React listens to wheels passively, which cannot keep the page from scrolling.
  useEffect(() => {
    const element = svg.current;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const box = frame.current?.getBoundingClientRect();
      if (!box) return;
      const { x, y } = exactly(event, pointer.current);
      const at = { x: x - box.x - box.width / 2, y: y - box.y - box.height / 2 };
      zoom(Math.exp(-event.deltaY / 300), at);
    };
    element?.addEventListener("wheel", onWheel, { passive: false });
    return () => element?.removeEventListener("wheel", onWheel);
  });

  const onKeyDown = (event: KeyboardEvent) => {
    const moves: Record<string, () => void> = {
      ArrowLeft: () => pan(-60, 0),
      ArrowRight: () => pan(60, 0),
      ArrowUp: () => pan(0, -60),
      ArrowDown: () => pan(0, 60),
      "+": () => zoom(1.5),
      "=": () => zoom(1.5),
      "-": () => zoom(1 / 1.5),
      "0": showAll,
    };
    const move = moves[event.key];
    if (!move) return;
    move();
    event.preventDefault();
  };

  /** The spot on earth below the pointer; null beside the outline. */
  const spotBelow = ({ clientX, clientY }: PointerEvent): Spot | null => {
    const box = frame.current?.getBoundingClientRect();
    if (!box) return null;
    const x = camera.x + (clientX - box.x - box.width / 2) / scale;
    const y = camera.y + (clientY - box.y - box.height / 2) / scale;
    const [longitude, latitude] = projection.invert?.([x, y]) ?? [];
    return longitude === undefined || latitude === undefined ? null : { latitude, longitude };
  };

  /** Take hold of something; the pointer may leave the map without letting go. */
  const hold = (event: PointerEvent, taken: Grip) => {
    event.stopPropagation();
    svg.current?.setPointerCapture(event.pointerId);
    grip.current = taken;
  };
  const onPointerDown = (event: PointerEvent) => {
    const middle = drawing ? spotBelow(event) : null;
    if (middle) hold(event, { is: "new", middle });
    else grip.current = { is: "map", x: event.clientX, y: event.clientY };
  };
  const onPointerMove = (event: PointerEvent) => {
    pointer.current = { x: event.clientX, y: event.clientY };
    const held = grip.current;
    if (!held) return;
    if (held.is === "map") {
      pan(held.x - event.clientX, held.y - event.clientY);
      grip.current = { is: "map", x: event.clientX, y: event.clientY };
      return;
    }
    const spot = spotBelow(event);
    if (!spot) return;
    if (held.is === "middle") {
      if (area) onDraw?.({ ...spot, miles: area.miles });
    } else {
      const miles = Math.min(MILES.most, distance(held.middle, spot));
      if (miles >= MILES.least || held.is === "radius")
        onDraw?.({ ...held.middle, miles: Math.max(1, miles) });
    }
  };
  const drop = () => {
    const held = grip.current;
    grip.current = null;
    if (held && held.is !== "map" && area && onDraw) onDrawn(area);
  };

  return (
    <div ref={frame} className={drawing ? "map-canvas is-drawing" : "map-canvas"}>
      <svg
        ref={svg}
        viewBox={`0 0 ${size.width} ${size.height}`}
        role="group"
        aria-label="Map. Arrow keys move it, plus and minus zoom, zero shows all."
        tabIndex={0}
        onKeyDown={onKeyDown}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={drop}
        onPointerLeave={() => grip.current?.is === "map" && drop()}
      >
        <g
          transform={`translate(${size.width / 2} ${size.height / 2}) scale(${scale}) translate(${-camera.x} ${-camera.y})`}
        >
          <path className="map-land" d={outline.land} />
          <path className="map-borders" d={outline.borders} />
          {area && <path className="map-area" d={circleOf(area, projection)} />}
          {places.map((place) => (
            <circle
              key={`${place.x},${place.y}`}
              className={place === selected ? "map-mark is-selected" : "map-mark"}
              cx={place.x}
              cy={place.y}
              r={radius(place, places) / scale}
              onClick={() => onSelect(place)}
            >
              <title>{`${place.label}: ${count(place.rows.length, "number")}`}</title>
            </circle>
          ))}
          <Labels places={places} camera={camera} size={size} selected={selected} />
          {area && onDraw && !drawing && (
            <>
              <GripMark
                at={pointOf(area, projection)}
                scale={scale}
                kind="middle"
                title="Drag to search elsewhere"
                onHold={(event) => hold(event, { is: "middle" })}
              />
              <GripMark
                at={pointOf(eastOf(area), projection)}
                scale={scale}
                kind="radius"
                title="Drag to change the radius"
                onHold={(event) => hold(event, { is: "radius", middle: area })}
              />
            </>
          )}
        </g>
      </svg>
      {children}
      <div className="map-zoom">
        <button type="button" aria-label="Zoom in" onClick={() => zoom(1.6)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => zoom(1 / 1.6)}>
          −
        </button>
        <button type="button" aria-label="Show all places" onClick={showAll}>
          ⤢
        </button>
      </div>
    </div>
  );
}

interface GripProps {
  at: { x: number; y: number } | null;
  scale: number;
  kind: "middle" | "radius";
  title: string;
  onHold(event: PointerEvent): void;
}

/** Where an area is taken hold of: a finger finds more of it than is seen. */
function GripMark({ at, scale, kind, title, onHold }: GripProps) {
  if (!at) return null;
  return (
    <g className={`map-grip is-${kind}`} transform={`translate(${at.x} ${at.y})`} onPointerDown={onHold}>
      <title>{title}</title>
      <circle className="map-reach" r={14 / scale} />
      <circle r={(kind === "middle" ? 5 : 7) / scale} />
    </g>
  );
}

function pointOf(
  { longitude, latitude }: Spot,
  projection: Outline["projection"],
): { x: number; y: number } | null {
  const point = projection([longitude, latitude]);
  return point && { x: point[0], y: point[1] };
}

/** How far an area reaches in each direction. */
function edgesOf(area: Area): Spot[] {
  const east = eastOf(area);
  const up = degreesOf(area.miles);
  return [
    east,
    { ...area, longitude: 2 * area.longitude - east.longitude },
    { ...area, latitude: area.latitude + up },
    { ...area, latitude: area.latitude - up },
  ];
}

/** Where the pointer is: browsers tell it to the fraction of a pixel, but cut that off with a wheel's turn. */
function exactly({ clientX, clientY }: WheelEvent, last: { x: number; y: number }): { x: number; y: number } {
  const same = Math.abs(clientX - last.x) < 1 && Math.abs(clientY - last.y) < 1;
  return same ? last : { x: clientX, y: clientY };
}

interface LabelsProps {
  places: Place[];
  camera: Camera;
  size: Size;
  selected: Place | null;
}

function Labels({ places, camera, size, selected }: LabelsProps) {
  const scale = scaleOf(camera, size);
  const labels = useMemo(
    () => settle(places, (place) => radius(place, places), camera, size, selected, measure),
    [places, camera, size, selected],
  );
  return labels.map(({ place, x, y, anchor, font }) => (
    <text
      key={`${place.x},${place.y}`}
      className="map-label"
      x={place.x + x / scale}
      y={place.y + y / scale}
      fontSize={font / scale}
      strokeWidth={3 / scale}
      textAnchor={anchor}
      dominantBaseline="central"
    >
      {place.label}
    </text>
  ));
}

const pen = document.createElement("canvas").getContext("2d");

const measure: Measure = (text, font) => {
  if (!pen) return text.length * font * 0.55;
  pen.font = `${font}px "IBM Plex Sans", system-ui, sans-serif`;
  return pen.measureText(text).width;
};

/** Area, not radius, stands for the amount. */
function radius(place: Place, places: Place[]): number {
  return Math.min(16, (places.length > 60 ? 2 : 3.5) + 1.4 * Math.sqrt(place.rows.length));
}
