/** PURE: which outline to draw for a set of places, and where each place comes to lie on it. */
import { geoAlbersUsa, geoEqualEarth, geoPath, type GeoProjection } from "d3-geo";
import { feature, mesh } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import type { Row } from "./rows";

export const WIDTH = 960;
export const HEIGHT = 560;

export interface Outline {
  projection: GeoProjection;
  /** SVG path of the land. */
  land: string;
  /** SVG path of the borders within it. */
  borders: string;
}

export interface Place {
  x: number;
  y: number;
  label: string;
  rows: Row[];
}

export type Atlas = Topology<Record<string, GeometryCollection>>;

export function inUnitedStates(rows: Row[]): boolean {
  const albers = geoAlbersUsa();
  return rows.every(({ place }) => !place || albers([place.longitude, place.latitude]) !== null);
}

/** States when every place is in the United States, else the world with the states drawn in. */
export function outline(states: Atlas, world: Atlas | null): Outline {
  const sheet = { type: "Sphere" } as const;
  const nation = feature(states, states.objects.nation!);
  const projection = world
    ? geoEqualEarth().fitExtent([[8, 8], [WIDTH - 8, HEIGHT - 8]], sheet)
    : geoAlbersUsa().fitExtent([[8, 8], [WIDTH - 8, HEIGHT - 8]], nation);
  const path = geoPath(projection).digits(2);
  const stateLines = path(mesh(states, states.objects.states!, (a, b) => a !== b)) ?? "";
  if (!world) return { projection, land: path(nation) ?? "", borders: stateLines };
  const countryLines = path(mesh(world, world.objects.countries!, (a, b) => a !== b)) ?? "";
  return {
    projection,
    land: path(feature(world, world.objects.countries!)) ?? "",
    borders: countryLines + stateLines,
  };
}

/** Rows of one rate center share their coordinates: they become one mark. */
export function gather(rows: Row[], projection: GeoProjection): Place[] {
  const places = new Map<string, Place>();
  for (const row of rows) {
    if (!row.place) continue;
    const point = projection([row.place.longitude, row.place.latitude]);
    if (!point) continue;
    const key = `${row.place.latitude},${row.place.longitude}`;
    const known = places.get(key);
    if (known) known.rows.push(row);
    else places.set(key, { x: point[0], y: point[1], label: labelOf(row), rows: [row] });
  }
  return [...places.values()].sort((a, b) => b.rows.length - a.rows.length);
}

function labelOf(row: Row): string {
  const find = (name: string) => {
    const entry = Object.entries(row.cells).find(([path]) => path === name || path.endsWith(`.${name}`));
    return typeof entry?.[1] === "string" ? entry[1] : null;
  };
  const town = find("locality") ?? find("rateCenter");
  const region = find("region");
  if (town) return region ? `${town}, ${region}` : town;
  return region ?? `${row.place?.latitude.toFixed(2)}, ${row.place?.longitude.toFixed(2)}`;
}

/** Pixels that the map may cover. */
export interface Size {
  width: number;
  height: number;
}

export interface Camera {
  /** Magnification: at 1 the whole outline is in view, at `CLOSEST` a county is. */
  k: number;
  /** Centre of the view, in the outline's coordinates. */
  x: number;
  y: number;
}

const CLOSEST = 60;

/** Pixels per unit of the outline. */
export function scaleOf({ k }: Camera, size: Size): number {
  return k * Math.min(size.width / WIDTH, size.height / HEIGHT);
}

/** Show all places with room around them, but never so close that the outline loses its meaning. */
export function fit(places: Place[], size: Size): Camera {
  if (places.length === 0) return { k: 1, x: WIDTH / 2, y: HEIGHT / 2 };
  const xs = places.map((place) => place.x);
  const ys = places.map((place) => place.y);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const whole = scaleOf({ k: 1, x: 0, y: 0 }, size);
  const room = Math.min(size.width / (1.4 * (right - left) + 1), size.height / (1.3 * (bottom - top) + 1));
  return clamp({ k: Math.min(room / whole, 18), x: (left + right) / 2, y: (top + bottom) / 2 }, size);
}

/** Keep the outline in view: nobody shall lose the map. */
export function clamp({ k, x, y }: Camera, size: Size): Camera {
  const zoom = Math.max(1, Math.min(CLOSEST, k));
  const scale = scaleOf({ k: zoom, x, y }, size);
  return { k: zoom, x: within(x, WIDTH, size.width / scale), y: within(y, HEIGHT, size.height / scale) };
}

function within(centre: number, extent: number, visible: number): number {
  if (visible >= extent) return extent / 2;
  return Math.max(visible / 2, Math.min(extent - visible / 2, centre));
}
