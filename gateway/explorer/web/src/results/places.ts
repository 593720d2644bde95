/** PURE: places that are found by name, without asking anybody: rate centers, their towns, and states. */
import { geoArea, geoCentroid } from "d3-geo";
import { feature } from "topojson-client";
import rateCenters from "../../../../sandbox/world/data/rate_centers.csv?raw";
import { distance, reachOf, type Spot } from "./area";
import type { Atlas } from "./projection";
import { titled } from "./projection";

export interface Named extends Spot {
  name: string;
  /** Beside the name: which state, and the rate center where it is called otherwise. */
  about: string;
  /** Code of the country. */
  country: string;
  /** Of what is larger than a town: how far it reaches, about. */
  miles?: number;
}

/** Countries that can be searched by place. */
const SEARCHED = new Set(["US", "CA"]);

/** Towns of the project's own data, one for each town and state, and the states themselves. */
export function knownPlaces(states: Atlas): Named[] {
  const [head = "", ...lines] = rateCenters.trim().split("\n");
  const columns = head.trim().split(",");
  const towns = new Map<string, Named>();
  for (const line of lines) {
    const cells = line.trim().split(",");
    const of = Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? ""]));
    const key = `${of.locality},${of.region}`;
    if (towns.has(key) || !SEARCHED.has(of.country ?? "")) continue;
    const center = titled(of.rate_center ?? "") ?? "";
    towns.set(key, {
      name: `${of.locality}, ${of.region}`,
      about: center === of.locality ? (of.country ?? "") : `rate center ${of.rate_center}`,
      country: of.country ?? "",
      latitude: Number(of.latitude),
      longitude: Number(of.longitude),
    });
  }
  return [...towns.values(), ...statesOf(states)];
}

function statesOf(states: Atlas): Named[] {
  return feature(states, states.objects.states!).features.flatMap((state) => {
    const name = (state.properties as { name?: string } | null)?.name;
    if (!name) return [];
    const [longitude, latitude] = geoCentroid(state);
    return [{ name, about: "state", country: "US", latitude, longitude, miles: reachOf(geoArea(state)) }];
  });
}

/** More would not be read. */
const MOST = 8;

/** Those whose name begins so come first, then those with a word that does, then the rest. */
export function findPlaces(places: Named[], typed: string): Named[] {
  const wanted = plain(typed);
  if (!wanted) return [];
  const ranked = places.flatMap((place) => {
    const rank = rankOf(plain(`${place.name} ${place.about}`), plain(place.name), wanted);
    return rank === null ? [] : [{ place, rank }];
  });
  return ranked
    .sort((a, b) => a.rank - b.rank || a.place.name.length - b.place.name.length)
    .slice(0, MOST)
    .map(({ place }) => place);
}

function rankOf(all: string, name: string, wanted: string): number | null {
  if (name.startsWith(wanted)) return 0;
  if (` ${all}`.includes(` ${wanted}`)) return 1;
  return all.includes(wanted) ? 2 : null;
}

/** Without accents, commas and capitals. */
function plain(text: string): string {
  return text
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .replace(/[,.]/g, " ")
    .replace(/\s+/g, " ")
    .trim()
    .toLowerCase();
}

/** Miles within which a place still names where something is. */
const NEARBY = 30;

/** The place nearest to a spot, if one is near. */
function nearest(spot: Spot, places: Named[]): Named | null {
  let found: { place: Named; away: number } | null = null;
  for (const place of places) {
    const away = distance(place, spot);
    if (!place.miles && away <= NEARBY && (!found || away < found.away)) found = { place, away };
  }
  return found?.place ?? null;
}

/** What a spot is called: by the place nearest to it, or by its coordinates. */
export function nameOf(spot: Spot, places: Named[]): string {
  return nearest(spot, places)?.name ?? `${spot.latitude.toFixed(2)}, ${spot.longitude.toFixed(2)}`;
}

/** The country of the place nearest to a spot; null where none is near. */
export function countryOf(spot: Spot, places: Named[]): string | null {
  return nearest(spot, places)?.country ?? null;
}
