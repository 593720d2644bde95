/** PURE: what an answer says of a number, in words for a question about it. */
import { isObject, type Json, type JsonObject } from "../json";
import type { Cell, Row } from "./rows";

/** Null where it is not known. */
export interface Facts {
  place: string | null;
  capabilities: string | null;
  price: string | null;
}

const CAPABILITIES: [string, string][] = [
  ["voice", "voice"],
  ["sms", "SMS"],
  ["mms", "MMS"],
  ["fax", "fax"],
];

export function factsOf(cells: Row["cells"]): Facts {
  return { place: placeOf(cells), capabilities: capabilitiesOf(cells), price: priceOf(cells) };
}

/** `object` as the cells of a row have it: by dotted path. */
export function cellsOf(object: Json | undefined, prefix = ""): Record<string, Cell> {
  if (!isObject(object)) return {};
  return Object.entries(object).reduce<Record<string, Cell>>((cells, [key, value]) => {
    if (isObject(value)) return { ...cells, ...cellsOf(value as JsonObject, `${prefix}${key}.`) };
    return Array.isArray(value) ? cells : { ...cells, [`${prefix}${key}`]: value };
  }, {});
}

function text(cells: Row["cells"], name: string): string | null {
  const value = cells[`geography.${name}`] ?? cells[name];
  return typeof value === "string" && value ? value : null;
}

function placeOf(cells: Row["cells"]): string | null {
  const [locality, region, center] = [
    text(cells, "locality"),
    text(cells, "region"),
    text(cells, "rateCenter"),
  ];
  const parts = [locality ?? center, region, text(cells, "isoCountry")].filter((part) => part !== null);
  if (parts.length === 0) return null;
  return locality && center ? `${parts.join(", ")} (rate center ${center})` : parts.join(", ");
}

function capabilitiesOf(cells: Row["cells"]): string | null {
  const known = CAPABILITIES.map(([key, label]): [string, Cell | undefined] => [
    label,
    cells[`capabilities.${key}.enabled`],
  ]).filter(([, enabled]) => typeof enabled === "boolean");
  if (known.length === 0) return null;
  const [can, cannot] = [true, false].map((wanted) =>
    known.filter(([, enabled]) => enabled === wanted).map(([label]) => label),
  );
  return [...can!, ...(cannot!.length > 0 ? [`no ${cannot!.join(", no ")}`] : [])].join(", ");
}

function priceOf(cells: Row["cells"]): string | null {
  const parts = [
    ["monthlyPrice", "a month"],
    ["setupPrice", "once"],
  ].flatMap(([name, when]) => {
    const { [`${name}.amount`]: amount, [`${name}.currencyCode`]: currency } = cells;
    return typeof amount === "string" ? [[decimals(amount), currency, when].filter(Boolean).join(" ")] : [];
  });
  return parts.length > 0 ? parts.join(" and ") : null;
}

/** An exact amount with the two decimals that prices are written with, at least. */
function decimals(amount: string): string {
  const [whole, fraction = ""] = amount.split(".");
  return `${whole}.${fraction.padEnd(2, "0")}`;
}
