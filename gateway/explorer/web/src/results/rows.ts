/** PURE: from the data of an answer to the lists of things in it, flat enough for a table and a map. */
import {
  getNamedType,
  getOperationAST,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  valueFromASTUntyped,
  type FieldNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  type SelectionSetNode,
} from "graphql";
import { isAccount } from "../credentials";
import { isObject, type Json, type JsonObject } from "../json";
import { fragment, parsed, valuesOf } from "../operation-edits";
import type { Operation } from "../wire";

export type Cell = string | number | boolean | null;

export interface Row {
  /** By dotted path below the row's object, in the order of the selection. */
  cells: Record<string, Cell>;
  phoneNumber: string | null;
  sid: string | null;
  /** Whose it is; null for the account that asked, undefined when the answer does not say. */
  accountSid: string | null | undefined;
  /** Where it is for sale; null when neither the answer nor the operation says it. */
  country: string | null;
  place: { latitude: number; longitude: number } | null;
  /** The object itself, as it stands in the answer. */
  source: JsonObject;
}

export interface RowSet {
  /** Response path of the list without indices, edges and nodes: `phoneNumbers.similarAvailable`. */
  path: string;
  /** Name of the rows' GraphQL type, when the schema is known. */
  typeName: string | null;
  rows: Row[];
  columns: string[];
  /** The columns that tell yes or no. */
  flags: Set<string>;
}

/** The column that says which number a nested row belongs to. */
export const PARENT = "of";

/** The columns that stay in sight while the others are scrolled: of numbers, and of their events. */
export const NUMBERS = ["phoneNumber", "number"];
const FIRST = [PARENT, ...NUMBERS];

/** Fields that only lead to the things themselves. */
export const WRAPPERS = new Set(["edges", "nodes", "node"]);

/** Whether an answer holds a list that nothing was found for. */
export function holdsEmptyList(data: Json): boolean {
  if (Array.isArray(data)) return data.some(holdsEmptyList);
  if (!isObject(data)) return false;
  return [data.nodes, data.edges].some(isEmpty) || Object.values(data).some(holdsEmptyList);
}

function isEmpty(value: Json | undefined): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** What is above an object in an answer: the number that it belongs to, and the account, if it is said. */
interface Above {
  number: string | null;
  account: string | null;
}

/** Find every list of objects in `data`, and single numbers such as a purchase returns. */
export function collectRows(data: Json, look: (path: string[]) => Origin): RowSet[] {
  const sets = new Map<string, RowSet>();
  const origins = new Map<string, Origin>();
  const paths = new Map<RowSet, string[]>();

  const add = (object: JsonObject, path: string[], parent: Above) => {
    const key = path.filter((segment) => !WRAPPERS.has(segment)).join(".");
    const origin = origins.get(path.join(".")) ?? look(path);
    origins.set(path.join("."), origin);
    let set = sets.get(key);
    if (!set) {
      set = { path: key, typeName: origin.typeName, rows: [], columns: [], flags: new Set() };
      sets.set(key, set);
      paths.set(set, path);
    }
    const cells: Record<string, Cell> = parent.number ? { [PARENT]: parent.number } : {};
    flatten(object, "", cells);
    const phoneNumber = numberOf(object);
    const sid = [object.sid, object.numberId].find((each) => typeof each === "string") ?? null;
    const account = accountIn(object) ?? parent.account;
    const accountSid = account ?? origin.account;
    const country = countryIn(cells) ?? origin.country;
    set.rows.push({ cells, phoneNumber, sid, accountSid, country, place: placeOf(cells), source: object });
    descend(object, path, { number: phoneNumber ?? parent.number, account });
  };

  const descend = (object: JsonObject, path: string[], parent: Above) => {
    const below = { ...parent, account: accountIn(object) ?? parent.account };
    for (const [key, value] of Object.entries(object)) visit(value, [...path, key], below);
  };

  const visit = (value: Json, path: string[], parent: Above) => {
    if (Array.isArray(value)) {
      // Relay's `edges` and `nodes` of one connection hold the same things: one of them is enough.
      for (const item of value) {
        if (!isObject(item)) continue;
        if (isObject(item.node)) add(item.node, [...path, "node"], parent);
        else add(item, path, parent);
      }
    } else if (isObject(value)) {
      if (numberOf(value) !== null) add(value, path, parent);
      else if (Array.isArray(value.nodes) && Array.isArray(value.edges))
        visit(value.nodes, [...path, "nodes"], parent);
      else descend(value, path, parent);
    }
  };

  visit(data, [], { number: null, account: null });
  for (const [set, path] of paths) {
    set.columns = columnsOf(set.rows);
    // Where the schema is not known, the values tell.
    const isFlag = (column: string) =>
      look([...path, ...column.split(".")]).typeName === "Boolean" ||
      set.rows.some(({ cells }) => typeof cells[column] === "boolean");
    set.flags = new Set(set.columns.filter(isFlag));
  }
  return [...sets.values()];
}

/** The number that an object is, or that an event is about, as text. */
function numberOf(object: JsonObject): string | null {
  const said = NUMBERS.map((name) => object[name]);
  return said.find((each): each is string => typeof each === "string") ?? null;
}

/** The account that an object says it belongs to, or is. */
function accountIn(object: JsonObject): string | null {
  const { accountSid, account, sid } = object;
  const said = [accountSid, isObject(account) ? account.sid : null, sid];
  return said.find((each): each is string => typeof each === "string" && isAccount(each)) ?? null;
}

function countryIn(cells: Record<string, Cell>): string | null {
  const country = cells["geography.isoCountry"];
  return typeof country === "string" ? country : null;
}

function flatten(object: JsonObject, prefix: string, cells: Record<string, Cell>): void {
  for (const [key, value] of Object.entries(object)) {
    if (key === "__typename") continue;
    const path = prefix ? `${prefix}.${key}` : key;
    if (Array.isArray(value)) {
      if (!value.some(isObject)) cells[path] = value.join(", ") || null;
    } else if (!isObject(value)) {
      cells[path] = value;
    } else if (!isConnection(value)) {
      flatten(value, path, cells);
    }
  }
}

function isConnection(value: JsonObject): boolean {
  return Array.isArray(value.edges) || Array.isArray(value.nodes);
}

/**
 * The number comes first, since it is what a row is about. A null object has no leaves, so a column may
 * first appear in a later row: it is kept near its kin.
 */
function columnsOf(rows: Row[]): string[] {
  const columns: string[] = [];
  const known = new Set<string>();
  for (const row of rows) {
    let previous = -1;
    for (const column of Object.keys(row.cells)) {
      if (known.has(column)) {
        previous = columns.indexOf(column);
      } else {
        columns.splice(++previous, 0, column);
        known.add(column);
      }
    }
  }
  // `capabilities.mms: null` beside `capabilities.mms.enabled` says nothing that an empty cell does not.
  const kept = columns.filter((column) => !columns.some((other) => other.startsWith(`${column}.`)));
  const rank = (column: string) => FIRST.indexOf(column) + 1 || FIRST.length + 1;
  return kept.sort((a, b) => rank(a) - rank(b));
}

function placeOf(cells: Record<string, Cell>): Row["place"] {
  for (const [path, latitude] of Object.entries(cells)) {
    if (!/(^|\.)latitude$/.test(path) || typeof latitude !== "number") continue;
    const longitude = cells[path.replace(/latitude$/, "longitude")];
    if (typeof longitude === "number") return { latitude, longitude };
  }
  return null;
}

/** What an operation says of the things at a response path. */
export interface Origin {
  typeName: string | null;
  /** Whose they are; null for the account that asked, undefined when only the things themselves could say. */
  account: string | null | undefined;
  /** The country that was searched in. */
  country: string | null;
}

/** Fields whose things may be several accounts', or another's than the operation names. */
const OF_ANY_ACCOUNT = new Set([
  "Query.node",
  "Query.nodes",
  "Account.subaccounts",
  "Mutation.transferPhoneNumber",
  "Mutation.transferPhoneNumbers",
]);

/** Tell type, account and country at a response path by following an operation through the schema. */
export function originLookup(
  schema: GraphQLSchema | null | undefined,
  { query, variables, operationName }: Operation,
): (path: string[]) => Origin {
  const nothing = () => ({ typeName: null, account: undefined, country: null });
  const document = parsed(query);
  const operation = document && getOperationAST(document, operationName);
  const root = operation && schema?.getRootType(operation.operation);
  if (!document || !operation || !root) return nothing;
  const values = valuesOf(operation, variables);

  const givenTo = (field: FieldNode): JsonObject =>
    Object.fromEntries(
      (field.arguments ?? []).map((argument) => [
        argument.name.value,
        valueFromASTUntyped(argument.value, values) as Json,
      ]),
    );

  const countryOf = ({ country, code }: JsonObject, above: Origin["country"]) =>
    [country, code].find((each) => typeof each === "string") ?? above;

  const accountOf = (name: string, given: JsonObject, above: Origin["account"]) => {
    if (OF_ANY_ACCOUNT.has(name)) return undefined;
    const said = [given, isObject(given.input) ? given.input : {}];
    const named = name === "Query.account" ? given.sid : said.map((each) => each.accountSid).find(Boolean);
    if (typeof named === "string") return named;
    const items = isObject(given.input) && Array.isArray(given.input.items) ? given.input.items : [];
    return items.some((item) => isObject(item) && item.accountSid) ? undefined : above;
  };

  const step = (found: Found, selections: SelectionSetNode, key: string): Found | null => {
    const { type } = found;
    for (const selection of selections.selections) {
      if (selection.kind === Kind.FIELD) {
        if ((selection.alias ?? selection.name).value !== key) continue;
        if (!isObjectType(type) && !isInterfaceType(type)) continue;
        const field = type.getFields()[selection.name.value];
        if (!field) continue;
        const given = givenTo(selection);
        const account = accountOf(`${type.name}.${field.name}`, given, found.account);
        const country = countryOf(given, found.country);
        return { type: getNamedType(field.type), selections: selection.selectionSet, account, country };
      } else {
        const spread =
          selection.kind === Kind.INLINE_FRAGMENT ? selection : fragment(document, selection.name.value);
        if (!spread) continue;
        const condition = spread.typeCondition && schema?.getType(spread.typeCondition.name.value);
        const inner = { ...found, type: isCompositeType(condition) ? condition : type };
        const below = step(inner, spread.selectionSet, key);
        if (below) return below;
      }
    }
    return null;
  };

  return (path) => {
    const { selectionSet: selections } = operation;
    let current: Found | null = { type: root, selections, account: null, country: null };
    for (const key of path) current = current?.selections ? step(current, current.selections, key) : null;
    if (!current) return nothing();
    return { typeName: current.type.name, account: current.account, country: current.country };
  };
}

interface Found {
  type: GraphQLNamedType;
  selections?: SelectionSetNode | undefined;
  account: Origin["account"];
  country: Origin["country"];
}
