/** PURE: from the data of an answer to the lists of things in it, flat enough for a table and a map. */
import {
  getNamedType,
  getOperationAST,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  type SelectionSetNode,
} from "graphql";
import { isObject, type Json, type JsonObject } from "../json";

export type Cell = string | number | boolean | null;

export interface Row {
  /** By dotted path below the row's object, in the order of the selection. */
  cells: Record<string, Cell>;
  phoneNumber: string | null;
  sid: string | null;
  place: { latitude: number; longitude: number } | null;
}

export interface RowSet {
  /** Response path of the list without indices, edges and nodes: `phoneNumbers.similarAvailable`. */
  path: string;
  /** Name of the rows' GraphQL type, when the schema is known. */
  typeName: string | null;
  rows: Row[];
  columns: string[];
}

/** The column that says which number a nested row belongs to. */
export const PARENT = "of";

/** The column that stays in sight while the others are scrolled. */
export const NUMBER = "phoneNumber";
const FIRST = [PARENT, NUMBER];

/** Fields that only lead to the things themselves. */
const WRAPPERS = new Set(["edges", "nodes", "node"]);

/** Whether an answer holds a list that nothing was found for. */
export function holdsEmptyList(data: Json): boolean {
  if (Array.isArray(data)) return data.some(holdsEmptyList);
  if (!isObject(data)) return false;
  return [data.nodes, data.edges].some(isEmpty) || Object.values(data).some(holdsEmptyList);
}

function isEmpty(value: Json | undefined): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Find every list of objects in `data`, and single numbers such as a purchase returns. */
export function collectRows(data: Json, typeOf: (path: string[]) => string | null = () => null): RowSet[] {
  const sets = new Map<string, RowSet>();

  const add = (object: JsonObject, path: string[], parent: string | null) => {
    const key = path.filter((segment) => !WRAPPERS.has(segment)).join(".");
    let set = sets.get(key);
    if (!set) sets.set(key, (set = { path: key, typeName: typeOf(path), rows: [], columns: [] }));
    const cells: Record<string, Cell> = parent ? { [PARENT]: parent } : {};
    flatten(object, "", cells);
    const phoneNumber = typeof object.phoneNumber === "string" ? object.phoneNumber : null;
    const sid = typeof object.sid === "string" ? object.sid : null;
    set.rows.push({ cells, phoneNumber, sid, place: placeOf(cells) });
    descend(object, path, phoneNumber ?? parent);
  };

  const descend = (object: JsonObject, path: string[], parent: string | null) => {
    for (const [key, value] of Object.entries(object)) visit(value, [...path, key], parent);
  };

  const visit = (value: Json, path: string[], parent: string | null) => {
    if (Array.isArray(value)) {
      // Relay's `edges` and `nodes` of one connection hold the same things: one of them is enough.
      for (const item of value) {
        if (!isObject(item)) continue;
        if (isObject(item.node)) add(item.node, [...path, "node"], parent);
        else add(item, path, parent);
      }
    } else if (isObject(value)) {
      if (typeof value.phoneNumber === "string") add(value, path, parent);
      else if (Array.isArray(value.nodes) && Array.isArray(value.edges))
        visit(value.nodes, [...path, "nodes"], parent);
      else descend(value, path, parent);
    }
  };

  visit(data, [], null);
  for (const set of sets.values()) set.columns = columnsOf(set.rows);
  return [...sets.values()];
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

/** A label that is short and still unlike its neighbours': `voice url`, `sms url`, `locality`. */
export function columnLabel(column: string, columns: string[]): string {
  const words = column.split(".");
  for (let count = 1; count < words.length; count++) {
    const tail = words.slice(-count).join(".");
    if (columns.filter((other) => other === tail || other.endsWith(`.${tail}`)).length === 1) {
      return spell(words.slice(-count));
    }
  }
  return spell(words);
}

function spell(words: string[]): string {
  const text = words.join(" ").replace(/([a-z0-9])([A-Z])/g, "$1 $2");
  return text.charAt(0).toUpperCase() + text.slice(1).toLowerCase();
}

/** Name the type at a response path by following the operation through the schema. */
export function typeLookup(
  schema: GraphQLSchema | null | undefined,
  document: DocumentNode | null | undefined,
  operationName: string | null | undefined,
): (path: string[]) => string | null {
  const operation = document && getOperationAST(document, operationName);
  const root = operation && schema?.getRootType(operation.operation);
  if (!document || !operation || !root) return () => null;
  const fragments = new Map(
    document.definitions
      .filter(
        (definition): definition is FragmentDefinitionNode => definition.kind === Kind.FRAGMENT_DEFINITION,
      )
      .map((definition) => [definition.name.value, definition]),
  );

  const step = (type: GraphQLNamedType, selections: SelectionSetNode, key: string): Found | null => {
    for (const selection of selections.selections) {
      if (selection.kind === Kind.FIELD) {
        if ((selection.alias ?? selection.name).value !== key) continue;
        if (!isObjectType(type) && !isInterfaceType(type)) continue;
        const field = type.getFields()[selection.name.value];
        if (field) return { type: getNamedType(field.type), selections: selection.selectionSet };
      } else {
        const fragment =
          selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
        if (!fragment) continue;
        const condition = fragment.typeCondition && schema?.getType(fragment.typeCondition.name.value);
        const found = step(isCompositeType(condition) ? condition : type, fragment.selectionSet, key);
        if (found) return found;
      }
    }
    return null;
  };

  return (path) => {
    let current: Found | null = { type: root, selections: operation.selectionSet };
    for (const key of path)
      current = current?.selections ? step(current.type, current.selections, key) : null;
    return current?.type.name ?? null;
  };
}

interface Found {
  type: GraphQLNamedType;
  selections?: SelectionSetNode | undefined;
}
