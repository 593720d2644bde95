/** PURE: the area that a search is about, in an operation and on the map. */
import { geoCircle, geoDistance, geoPath, type GeoProjection } from "d3-geo";
import { getOperationAST, Kind, parse, valueFromASTUntyped, type SelectionNode } from "graphql";
import { isObject, type Json, type JsonObject } from "../json";
import { enumValue, fieldAt, parsed, valuesOf, withValue } from "../operation-edits";
import type { Operation } from "../wire";

export interface Spot {
  latitude: number;
  longitude: number;
}

export interface Area extends Spot {
  miles: number;
  /** Code of the country of the place that it was chosen by. */
  country?: string;
}

/** A search in an operation: where it stands, and the area it is about, if it is about one. */
export interface Search {
  path: string[];
  area: Area | null;
  /** The code of the country that is searched. */
  country: Json;
}

/** What the gateway takes, and takes when nothing is said. */
export const MILES = { least: 1, most: 500, usual: 25 };
const EARTH_MILES = 3958.8;
const FIELD = "availablePhoneNumbers";

/** The first search for numbers to buy; null where there is none, or the text is unfinished. */
export function searchIn(operation: Operation): Search | null {
  const document = parsed(operation.query);
  const main = document && getOperationAST(document, operation.operationName);
  const path = main?.operation === "query" ? pathOf(main.selectionSet.selections) : null;
  if (!document || !main || !path) return null;
  const values = valuesOf(main, operation.variables);
  const field = fieldAt(document, operation.operationName, path);
  const given = (wanted: string): Json => {
    const argument = field?.arguments?.find(({ name }) => name.value === wanted);
    return argument ? ((valueFromASTUntyped(argument.value, values) as Json | undefined) ?? null) : null;
  };
  const filter = given("filter");
  return { path, area: isObject(filter) ? areaOf(filter) : null, country: given("country") };
}

function pathOf(selections: readonly SelectionNode[]): string[] | null {
  for (const selection of selections) {
    if (selection.kind === Kind.FRAGMENT_SPREAD) continue;
    const key = selection.kind === Kind.FIELD ? [(selection.alias ?? selection.name).value] : [];
    if (selection.kind === Kind.FIELD && selection.name.value === FIELD) return key;
    const below = selection.selectionSet && pathOf(selection.selectionSet.selections);
    if (below) return [...key, ...below];
  }
  return null;
}

function areaOf({ near, withinMiles }: JsonObject): Area | null {
  const point = isObject(near) ? near.point : null;
  if (!isObject(point) || typeof point.latitude !== "number" || typeof point.longitude !== "number")
    return null;
  const miles = typeof withinMiles === "number" ? withinMiles : MILES.usual;
  return { latitude: point.latitude, longitude: point.longitude, miles };
}

/**
 * The operation with another area, in the country where that lies if it is known, from the first page on;
 * all else stays as it was written.
 */
export function withArea(
  operation: Operation,
  { path, country: before }: Search,
  area: Area,
  country: string | null,
): Operation {
  const point = { latitude: rounded(area.latitude), longitude: rounded(area.longitude) };
  const abroad = country !== null && before !== null && country !== before;
  const home = abroad ? withValue(operation, path, ["country"], country, enumValue) : operation;
  const there = withValue(home, path, ["filter", "near"], { point });
  const within = withValue(there, path, ["filter", "withinMiles"], milesOf(area.miles));
  const field = fieldAt(parse(within.query), within.operationName, path);
  const follows = field?.arguments?.some(
    ({ name, value }) => name.value === "after" && value.kind !== Kind.NULL,
  );
  return follows ? withValue(within, path, ["after"], null) : within;
}

/** Four decimals are eleven metres. */
function rounded(degrees: number): number {
  return Math.round(degrees * 1e4) / 1e4;
}

export function milesOf(miles: number): number {
  return Math.max(MILES.least, Math.min(MILES.most, Math.round(miles)));
}

/** Miles from the middle of something to its edge, if it were round; `share` is its share of a sphere, in steradians. */
export function reachOf(share: number): number {
  return milesOf(EARTH_MILES * Math.sqrt(share / Math.PI));
}

export function distance(one: Spot, other: Spot): number {
  return EARTH_MILES * geoDistance([one.longitude, one.latitude], [other.longitude, other.latitude]);
}

/** Of a great circle. */
export function degreesOf(miles: number): number {
  return (miles / EARTH_MILES) * (180 / Math.PI);
}

/** The circle as an SVG path. */
export function circleOf(area: Area, projection: GeoProjection): string {
  const circle = geoCircle()
    .center([area.longitude, area.latitude])
    .radius(degreesOf(area.miles))
    .precision(2);
  return geoPath(projection).digits(3)(circle()) ?? "";
}

/** The point of the circle that lies straight east, where it is taken hold of. */
export function eastOf({ latitude, longitude, miles }: Area): Spot {
  return {
    latitude,
    longitude: longitude + degreesOf(miles) / Math.max(0.05, Math.cos((latitude * Math.PI) / 180)),
  };
}
