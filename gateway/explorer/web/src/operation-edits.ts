/** PURE: what stands in an operation, and changes of it that keep the rest of its text as it was written. */
import {
  getOperationAST,
  Kind,
  parse,
  valueFromASTUntyped,
  type ASTNode,
  type DocumentNode,
  type FieldNode,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from "graphql";
import { isObject, type Json, type JsonObject } from "./json";
import type { Operation } from "./wire";

/** Null where the text is unfinished. */
export function parsed(query: string): DocumentNode | null {
  try {
    return parse(query);
  } catch {
    return null;
  }
}

/** The variables that an operation runs with: those that are given, and defaults for the others. */
export function valuesOf(
  { variableDefinitions = [] }: OperationDefinitionNode,
  given: Operation["variables"],
): JsonObject {
  const values: JsonObject = { ...given };
  for (const { variable, defaultValue } of variableDefinitions)
    if (defaultValue && values[variable.name.value] === undefined)
      values[variable.name.value] = valueFromASTUntyped(defaultValue) as Json;
  return values;
}

/** The field that a response path leads to; null where there is none. */
export function fieldAt(
  document: DocumentNode,
  operationName: Operation["operationName"],
  path: string[],
): FieldNode | null {
  let selections = getOperationAST(document, operationName)?.selectionSet;
  let found: FieldNode | null = null;
  for (const key of path) {
    found = (selections && select(document, selections, key)) ?? null;
    selections = found?.selectionSet;
  }
  return found;
}

function select(document: DocumentNode, { selections }: SelectionSetNode, key: string): FieldNode | null {
  for (const selection of selections) {
    if (selection.kind === Kind.FIELD) {
      if ((selection.alias ?? selection.name).value === key) return selection;
      continue;
    }
    const inner =
      selection.kind === Kind.INLINE_FRAGMENT ? selection : fragment(document, selection.name.value);
    const found = inner && select(document, inner.selectionSet, key);
    if (found) return found;
  }
  return null;
}

/** The fragment of a name; null where it is not defined. */
export function fragment(document: DocumentNode, name: string) {
  const found = document.definitions.find(
    (each) => each.kind === Kind.FRAGMENT_DEFINITION && each.name.value === name,
  );
  return found?.kind === Kind.FRAGMENT_DEFINITION ? found : null;
}

/**
 * Give an argument of the field at `path`, or an input field `at` within it, another value: in the
 * variables where one stands there, else in the text.
 */
export function withValue(
  operation: Operation,
  path: string[],
  at: string[],
  value: Json,
  spell: Spell = literal,
): Operation {
  const document = parse(operation.query);
  const field = fieldAt(document, operation.operationName, path);
  const [name = "", ...rest] = at;
  if (!field) return operation;
  const given = field.arguments?.find((each) => each.name.value === name);
  if (given) return replaced(operation, document, given.value, rest, value, spell, [path, [name]]);
  const text = `${name}: ${spell(nest(rest, value))}`;
  const last = field.arguments?.at(-1);
  if (last) return { ...operation, query: appended(operation.query, last, text) };
  return {
    ...operation,
    query: splice(operation.query, field.name.loc!.end, field.name.loc!.end, `(${text})`),
  };
}

function replaced(
  operation: Operation,
  document: DocumentNode,
  node: ValueNode,
  at: string[],
  value: Json,
  spell: Spell,
  [path, above]: [string[], string[]],
): Operation {
  const { query } = operation;
  if (node.kind === Kind.VARIABLE) {
    const { [node.name.value]: known = defaultOf(document, operation, node.name.value), ...others } =
      operation.variables ?? {};
    return { ...operation, variables: { ...others, [node.name.value]: placed(known, at, value) } };
  }
  const [key, ...rest] = at;
  if (key === undefined) {
    // Where the same keys stand already, each may have a variable of its own.
    if (node.kind === Kind.OBJECT && isObject(value) && sameKeys(node.fields.map(nameOf), value))
      return Object.entries(value).reduce(
        (changed, [name, inner]) => withValue(changed, path, [...above, name], inner, spell),
        operation,
      );
    return { ...operation, query: splice(query, node.loc!.start, node.loc!.end, spell(value)) };
  }
  if (node.kind !== Kind.OBJECT || node.fields.length === 0) {
    const text = spell(nest(at, value));
    return { ...operation, query: splice(query, node.loc!.start, node.loc!.end, text) };
  }
  const inner = node.fields.find((each) => each.name.value === key);
  if (inner) return replaced(operation, document, inner.value, rest, value, spell, [path, [...above, key]]);
  const text = `${key}: ${spell(nest(rest, value))}`;
  return { ...operation, query: appended(query, node.fields.at(-1)!, text) };
}

function nameOf({ name }: { name: { value: string } }): string {
  return name.value;
}

function sameKeys(names: string[], value: JsonObject): boolean {
  const keys = Object.keys(value);
  return names.length === keys.length && keys.every((key) => names.includes(key));
}

/** Put `text` behind the last of its kind, on a line of its own where that has one. */
function appended(query: string, last: ASTNode, text: string): string {
  const { start, end } = last.loc!;
  const line = /\n([ \t]*)$/.exec(query.slice(0, start));
  return splice(query, end, end, line ? `\n${line[1]}${text}` : `, ${text}`);
}

function splice(text: string, start: number, end: number, put: string): string {
  return text.slice(0, start) + put + text.slice(end);
}

function nest(path: string[], value: Json): Json {
  return path.reduceRight<Json>((inner, key) => ({ [key]: inner }), value);
}

function placed(known: Json, [key, ...rest]: string[], value: Json): Json {
  if (key === undefined) return value;
  const object = isObject(known) ? known : {};
  return { ...object, [key]: placed(object[key] ?? null, rest, value) };
}

function defaultOf(document: DocumentNode, { operationName }: Operation, name: string): Json {
  const declared = getOperationAST(document, operationName)?.variableDefinitions;
  const value = declared?.find((each) => each.variable.name.value === name)?.defaultValue;
  return value ? (valueFromASTUntyped(value) as Json) : null;
}

type Spell = (value: Json) => string;

/** The name of an enum's value: it stands in a text without quotes. */
export const enumValue: Spell = String;

/** A value as GraphQL writes it. */
export function literal(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, inner]) => `${name}: ${literal(inner)}`);
  return `{ ${fields.join(", ")} }`;
}
