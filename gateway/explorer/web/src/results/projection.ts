/** PURE: which outline to draw for a set of places, and where each place comes to lie on it. */
import { geoAlbersUsa, geoConicEqualArea, geoEqualEarth, geoPath, type GeoProjection } from "d3-geo";
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

export type Extent = "states" | "continent" | "world";

const MARGIN: [[number, number], [number, number]] = [
  [8, 8],
  [WIDTH - 8, HEIGHT - 8],
];
/** North America without its emptiest north: the countries of one numbering plan. */
const CONTINENT = { west: -168, east: -52, south: 16, north: 71 };

/** The smallest outline that holds every place. */
export function extentOf(rows: Row[], others: NonNullable<Row["place"]>[] = []): Extent {
  const places = [...rows.flatMap(({ place }) => (place ? [place] : [])), ...others];
  const albers = geoAlbersUsa();
  if (places.every((place) => albers([place.longitude, place.latitude]))) return "states";
  const { west, east, south, north } = CONTINENT;
  const near = places.every(
    ({ longitude, latitude }) => longitude > west && longitude < east && latitude > south && latitude < north,
  );
  return near ? "continent" : "world";
}

/** The outline to draw; `world` is needed for everything beyond the United States. */
export function outline(extent: Extent, states: Atlas, world: Atlas | null): Outline | null {
  const nation = feature(states, states.objects.nation!);
  if (extent !== "states" && !world) return null;
  const projection = projectionOf(extent, nation);
  const path = geoPath(projection).digits(2);
  const stateLines = path(mesh(states, states.objects.states!, (a, b) => a !== b)) ?? "";
  if (extent === "states" || !world) return { projection, land: path(nation) ?? "", borders: stateLines };
  const countryLines = path(mesh(world, world.objects.countries!, (a, b) => a !== b)) ?? "";
  return {
    projection,
    land: path(feature(world, world.objects.countries!)) ?? "",
    borders: countryLines + stateLines,
  };
}

function projectionOf(extent: Extent, nation: ReturnType<typeof feature>): GeoProjection {
  if (extent === "states") return geoAlbersUsa().fitExtent(MARGIN, nation);
  if (extent === "world") return geoEqualEarth().fitExtent(MARGIN, { type: "Sphere" });
  const { west, east, south, north } = CONTINENT;
  const middle = (west + east) / 2;
  const frame = {
    type: "MultiPoint" as const,
    coordinates: [west, middle, east].flatMap((longitude) =>
      [south, north].map((latitude) => [longitude, latitude]),
    ),
  };
  const projection = geoConicEqualArea().parallels([25, 60]).rotate([-middle, 0]).fitExtent(MARGIN, frame);
  // Beyond the frame other lands would be drawn out of all proportion.
  return projection.clipExtent([
    [-200, -200],
    [WIDTH + 200, HEIGHT + 200],
  ]);
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
  const town = titled(find("locality") ?? find("rateCenter"));
  const region = find("region");
  if (town) return region ? `${town}, ${region}` : town;
  return region ?? `${row.place?.latitude.toFixed(2)}, ${row.place?.longitude.toFixed(2)}`;
}

/** One of the upstream's families writes names in capitals, which shout from a map. */
export function titled(name: string | null): string | null {
  if (name === null || name !== name.toUpperCase()) return name;
  return name.toLowerCase().replace(/(^|[\s-])\p{L}/gu, (letter) => letter.toUpperCase());
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
export function fit(places: { x: number; y: number }[], size: Size): Camera {
  if (places.length === 0) return { k: 1, x: WIDTH / 2, y: HEIGHT / 2 };
  const xs = places.map((place) => place.x);
  const ys = places.map((place) => place.y);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const whole = scaleOf({ k: 1, x: 0, y: 0 }, size);
  const room = Math.min(size.width / (1.5 * (right - left) + 1), size.height / (1.3 * (bottom - top) + 1));
  return clamp({ k: Math.min(room / whole, 18), x: (left + right) / 2, y: (top + bottom) / 2 });
}

/** Magnify by `factor` while the spot at `at`, in pixels from the middle of the view, stays where it is. */
export function zoomed(camera: Camera, factor: number, at: { x: number; y: number }, size: Size): Camera {
  const before = scaleOf(camera, size);
  const k = limited(camera.k * factor);
  const after = scaleOf({ ...camera, k }, size);
  const share = 1 / before - 1 / after;
  return clamp({ k, x: camera.x + at.x * share, y: camera.y + at.y * share });
}

function limited(k: number): number {
  return Math.max(1, Math.min(CLOSEST, k));
}

/** Keep the middle of the view on the outline: nobody shall lose the map. */
export function clamp({ k, x, y }: Camera): Camera {
  return { k: limited(k), x: within(x, WIDTH), y: within(y, HEIGHT) };
}

function within(centre: number, extent: number): number {
  return Math.max(0, Math.min(extent, centre));
}
