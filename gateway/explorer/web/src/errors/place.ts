import { Kind, parse, type ASTNode, type FieldNode, type ObjectFieldNode, type ValueNode } from "graphql";
import { fieldAt } from "../operation-edits";
import type { Operation } from "../wire";

/** A place in the text of an operation, counted from 1. */
export interface Place {
  line: number;
  column: number;
}

/**
 * Where in an operation's text the field of a path in its answer stands; with `input`, the value of an
 * input below the field's argument `input`. As near as it can be told; null when the field is not there.
 */
export function placeOf({ query, operationName }: Operation, path: Path, input: Path = []): Place | null {
  const names = path.filter((step) => typeof step === "string");
  try {
    const document = parse(query);
    for (; names.length > 0; names.pop()) {
      const field = fieldAt(document, operationName, names);
      if (field) return startOf(input.length > 0 ? valueIn(field, input) : field);
    }
  } catch {
    // Unfinished: it has no places.
  }
  return null;
}

export type Path = (string | number)[];

/** The value that an input stands for; where a variable stands for it, that. */
function valueIn(field: FieldNode, input: Path): ASTNode {
  const argument = field.arguments?.find(({ name }) => name.value === "input");
  if (!argument) return field;
  let found: ASTNode = argument;
  let value: ValueNode | undefined = argument.value;
  for (const step of input) {
    if (value?.kind === Kind.OBJECT) {
      const next: ObjectFieldNode | undefined = value.fields.find(({ name }) => name.value === step);
      if (!next) break;
      found = next;
      value = next.value;
    } else if (value?.kind === Kind.LIST) {
      value = value.values[Number(step)];
      found = value ?? found;
    } else break;
  }
  return value?.kind === Kind.VARIABLE ? value : found;
}

function startOf(node: ASTNode): Place | null {
  const token = node.loc?.startToken;
  return token ? { line: token.line, column: token.column } : null;
}
