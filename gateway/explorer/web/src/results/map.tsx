import {
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type PointerEvent,
} from "react";
import statesAtlas from "us-atlas/states-10m.json";
import { ActionButton, type RowAction } from "./deed";
import { count, spaced } from "./format";
import {
  clamp,
  extentOf,
  fit,
  gather,
  HEIGHT,
  outline,
  scaleOf,
  WIDTH,
  type Atlas,
  type Camera,
  type Place,
  type Size,
  zoomed,
} from "./projection";
import { FONT, settle } from "./labels";
import type { RowSet } from "./rows";

const STATES = statesAtlas as unknown as Atlas;

interface Props {
  set: RowSet;
  action: RowAction | null;
}

/** An outline map with one mark per place; beside it the places as a list, which the keyboard can walk. */
export default function PlaceMap({ set, action }: Props) {
  const extent = useMemo(() => extentOf(set.rows), [set.rows]);
  const world = useWorld(extent !== "states");
  const drawing = useMemo(() => outline(extent, STATES, world), [extent, world]);
  const places = useMemo(() => (drawing ? gather(set.rows, drawing.projection) : []), [set.rows, drawing]);
  const [selected, setSelected] = useState<Place | null>(null);

  useEffect(() => setSelected(null), [places]);

  if (!drawing) return <p className="view-note">Loading the outline…</p>;
  const unplaced = set.rows.filter((row) => !row.place).length;
  return (
    <div className="map">
      <Canvas drawing={drawing} places={places} selected={selected} onSelect={setSelected} />
      <aside className="map-side" aria-label="Places">
        <p className="map-count">
          {count(set.rows.length - unplaced, "number")} in {count(places.length, "place")}
          {unplaced > 0 && `, ${unplaced.toLocaleString("en")} without coordinates`}
        </p>
        <ul className="map-places">
          {places.map((place) => (
            <li key={`${place.x},${place.y}`}>
              <button
                type="button"
                aria-expanded={place === selected}
                onClick={() => setSelected(place === selected ? null : place)}
              >
                <span>{place.label}</span>
                <span className="tally">{place.rows.length}</span>
              </button>
              {place === selected && (
                <ul className="map-numbers">
                  {place.rows.map((row, index) => (
                    <li key={index}>
                      <code>{row.phoneNumber ? spaced(row.phoneNumber) : "—"}</code>
                      {action && <ActionButton offer={action.offer(row)} />}
                    </li>
                  ))}
                </ul>
              )}
            </li>
          ))}
        </ul>
      </aside>
    </div>
  );
}

interface CanvasProps {
  drawing: { land: string; borders: string };
  places: Place[];
  selected: Place | null;
  onSelect(place: Place): void;
}

function Canvas({ drawing, places, selected, onSelect }: CanvasProps) {
  const frame = useRef<HTMLDivElement>(null);
  const svg = useRef<SVGSVGElement>(null);
  const drag = useRef<{ x: number; y: number } | null>(null);
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

  const showAll = useCallback(() => setCamera(fit(places, size)), [places, size]);
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

  const onPointerMove = (event: PointerEvent) => {
    pointer.current = { x: event.clientX, y: event.clientY };
    if (!drag.current) return;
    pan(drag.current.x - event.clientX, drag.current.y - event.clientY);
    drag.current = { x: event.clientX, y: event.clientY };
  };
  const drop = () => {
    drag.current = null;
  };

  return (
    <div ref={frame} className="map-canvas">
      <svg
        ref={svg}
        viewBox={`0 0 ${size.width} ${size.height}`}
        role="group"
        aria-label="Map. Arrow keys move it, plus and minus zoom, zero shows all."
        tabIndex={0}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => (drag.current = { x: event.clientX, y: event.clientY })}
        onPointerMove={onPointerMove}
        onPointerUp={drop}
        onPointerLeave={drop}
      >
        <g
          transform={`translate(${size.width / 2} ${size.height / 2}) scale(${scale}) translate(${-camera.x} ${-camera.y})`}
        >
          <path className="map-land" d={drawing.land} />
          <path className="map-borders" d={drawing.borders} />
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
        </g>
      </svg>
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
    () => settle(places, radiusIn(places), camera, size, selected),
    [places, camera, size, selected],
  );
  return labels.map(({ place, x, y, anchor }) => (
    <text
      key={`${place.x},${place.y}`}
      className="map-label"
      x={place.x + x / scale}
      y={place.y + y / scale}
      fontSize={FONT / scale}
      strokeWidth={3 / scale}
      textAnchor={anchor}
      dominantBaseline="central"
    >
      {place.label}
    </text>
  ));
}

function radiusIn(places: Place[]): (place: Place) => number {
  return (place) => radius(place, places);
}

/** Area, not radius, stands for the amount. */
function radius(place: Place, places: Place[]): number {
  return Math.min(16, (places.length > 60 ? 2 : 3.5) + 1.4 * Math.sqrt(place.rows.length));
}

/** The world's outline is loaded when a place lies outside the United States. */
function useWorld(needed: boolean): Atlas | null {
  const [world, setWorld] = useState<Atlas | null>(null);
  useEffect(() => {
    if (needed && !world) {
      void import("world-atlas/countries-110m.json").then((loaded) =>
        setWorld(loaded.default as unknown as Atlas),
      );
    }
  }, [needed, world]);
  return needed ? world : null;
}
