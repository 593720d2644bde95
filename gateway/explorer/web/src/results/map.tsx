import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import statesAtlas from "us-atlas/states-10m.json";
import { ActionButton, type RowAction } from "./deed";
import { count, spaced } from "./format";
import {
  clamp,
  fit,
  gather,
  HEIGHT,
  inUnitedStates,
  outline,
  WIDTH,
  type Atlas,
  type Camera,
  type Place,
} from "./projection";
import type { RowSet } from "./rows";

const STATES = statesAtlas as unknown as Atlas;
/** Names are drawn beside the largest marks only: more would cover the map. */
const LABELS = 14;

interface Props {
  set: RowSet;
  action: RowAction | null;
}

/** An outline map with one mark per place; beside it the places as a list, which the keyboard can walk. */
export default function PlaceMap({ set, action }: Props) {
  const domestic = useMemo(() => inUnitedStates(set.rows), [set.rows]);
  const world = useWorld(!domestic);
  const drawing = useMemo(() => (domestic || world ? outline(STATES, world) : null), [domestic, world]);
  const places = useMemo(() => (drawing ? gather(set.rows, drawing.projection) : []), [set.rows, drawing]);
  const [selected, setSelected] = useState<Place | null>(null);
  const [camera, setCamera] = useState<Camera>(() => fit([]));

  useEffect(() => {
    setCamera(fit(places));
    setSelected(null);
  }, [places]);

  const select = (place: Place | null) => {
    setSelected(place);
    if (place) setCamera((old) => clamp({ k: Math.max(old.k, 2), x: place.x, y: place.y }));
  };

  if (!drawing) return <p className="view-note">Loading the outline…</p>;
  const unplaced = set.rows.filter((row) => !row.place).length;
  return (
    <div className="map">
      <Canvas
        drawing={drawing}
        places={places}
        camera={camera}
        selected={selected}
        onCamera={setCamera}
        onSelect={select}
        onFit={() => setCamera(fit(places))}
      />
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
                onClick={() => select(place === selected ? null : place)}
              >
                <span>{place.label}</span>
                <span className="tally">{place.rows.length}</span>
              </button>
              {place === selected && (
                <ul className="map-numbers">
                  {place.rows.map((row, index) => (
                    <li key={index}>
                      <code>{row.phoneNumber ? spaced(row.phoneNumber) : "—"}</code>
                      {action && <ActionButton action={action} row={row} />}
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
  camera: Camera;
  selected: Place | null;
  onCamera(change: (old: Camera) => Camera): void;
  onSelect(place: Place): void;
  onFit(): void;
}

function Canvas({ drawing, places, camera, selected, onCamera, onSelect, onFit }: CanvasProps) {
  const svg = useRef<SVGSVGElement>(null);
  const drag = useRef<{ x: number; y: number } | null>(null);
  const { k } = camera;

  const zoom = (factor: number) => onCamera((old) => clamp({ ...old, k: old.k * factor }));
  const pan = (dx: number, dy: number) =>
    onCamera((old) => clamp({ ...old, x: old.x + dx / old.k, y: old.y + dy / old.k }));

  // React listens to wheels passively, which cannot keep the page from scrolling.
  useEffect(() => {
    const element = svg.current;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      zoom(Math.exp(-event.deltaY / 300));
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
      "0": onFit,
    };
    const move = moves[event.key];
    if (!move) return;
    move();
    event.preventDefault();
  };

  const onPointerMove = (event: PointerEvent<SVGSVGElement>) => {
    if (!drag.current) return;
    const scale = WIDTH / event.currentTarget.clientWidth;
    pan((drag.current.x - event.clientX) * scale, (drag.current.y - event.clientY) * scale);
    drag.current = { x: event.clientX, y: event.clientY };
  };

  return (
    <div className="map-canvas">
      <svg
        ref={svg}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="xMidYMid slice"
        role="group"
        aria-label="Map. Arrow keys move it, plus and minus zoom, zero shows all."
        tabIndex={0}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => (drag.current = { x: event.clientX, y: event.clientY })}
        onPointerMove={onPointerMove}
        onPointerUp={() => (drag.current = null)}
        onPointerLeave={() => (drag.current = null)}
      >
        <g transform={`translate(${WIDTH / 2} ${HEIGHT / 2}) scale(${k}) translate(${-camera.x} ${-camera.y})`}>
          <path className="map-land" d={drawing.land} />
          <path className="map-borders" d={drawing.borders} />
          {places.map((place) => (
            <circle
              key={`${place.x},${place.y}`}
              className={place === selected ? "map-mark is-selected" : "map-mark"}
              cx={place.x}
              cy={place.y}
              r={radius(place) / k}
              onClick={() => onSelect(place)}
            >
              <title>{`${place.label}: ${count(place.rows.length, "number")}`}</title>
            </circle>
          ))}
          <Labels places={places} camera={camera} selected={selected} />
        </g>
      </svg>
      <div className="map-zoom">
        <button type="button" aria-label="Zoom in" onClick={() => zoom(1.6)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => zoom(1 / 1.6)}>
          −
        </button>
        <button type="button" aria-label="Show all places" onClick={onFit}>
          ⤢
        </button>
      </div>
    </div>
  );
}

function Labels({ places, camera, selected }: { places: Place[]; camera: Camera; selected: Place | null }) {
  const chosen = useMemo(() => spread(places, camera.k), [places, camera.k]);
  const shown = selected && !chosen.includes(selected) ? [...chosen, selected] : chosen;
  return shown.map((place) => (
    <text
      key={`${place.x},${place.y}`}
      className="map-label"
      x={place.x + (radius(place) + 4) / camera.k}
      y={place.y}
      fontSize={11 / camera.k}
      dominantBaseline="central"
    >
      {place.label}
    </text>
  ));
}

/** Of the largest places, those whose names do not run into a name already placed. */
function spread(places: Place[], k: number): Place[] {
  const placed: Place[] = [];
  for (const place of places) {
    if (placed.length === LABELS) break;
    const clear = placed.every(
      (other) => Math.abs(other.y - place.y) * k > 14 || Math.abs(other.x - place.x) * k > 130,
    );
    if (clear) placed.push(place);
  }
  return placed;
}

/** Area, not radius, stands for the amount. */
function radius(place: Place): number {
  return Math.min(16, 3.5 + 1.5 * Math.sqrt(place.rows.length));
}

/** The world's outline is loaded when a place lies outside the United States. */
function useWorld(needed: boolean): Atlas | null {
  const [world, setWorld] = useState<Atlas | null>(null);
  useEffect(() => {
    if (needed && !world) {
      void import("world-atlas/countries-110m.json").then((loaded) => setWorld(loaded.default as unknown as Atlas));
    }
  }, [needed, world]);
  return needed ? world : null;
}
