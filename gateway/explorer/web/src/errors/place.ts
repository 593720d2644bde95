import {
  Kind,
  parse,
  type FieldNode,
  type ObjectFieldNode,
  type ASTNode,
  type SelectionSetNode,
  type ValueNode,
} from "graphql";

/** A place in the text of an operation, counted from 1. */
export interface Place {
  line: number;
  column: number;
}

/**
 * Where in an operation's text the field of a path in its answer stands; with `input`, the value of an
 * input below the field's argument `input`. As near as it can be told; null when the field is not there.
 */
export function placeOf(query: string, path: Path, input: Path = []): Place | null {
  try {
    const document = parse(query);
    const fragments = new Map(
      document.definitions.flatMap((each) =>
        each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each.selectionSet] as const] : [],
      ),
    );
    const find = (set: SelectionSetNode, name: string): FieldNode | undefined => {
      for (const each of set.selections) {
        if (each.kind === Kind.FIELD) {
          if ((each.alias ?? each.name).value === name) return each;
          continue;
        }
        const inner = each.kind === Kind.INLINE_FRAGMENT ? each.selectionSet : fragments.get(each.name.value);
        const found = inner && find(inner, name);
        if (found) return found;
      }
      return undefined;
    };
    let set: SelectionSetNode | undefined = document.definitions.find(
      (each) => each.kind === Kind.OPERATION_DEFINITION,
    )?.selectionSet;
    let field: FieldNode | undefined;
    for (const name of path) {
      if (typeof name === "number") continue;
      const found: FieldNode | undefined = set && find(set, name);
      if (!found) break;
      field = found;
      set = found.selectionSet;
    }
    return field ? startOf(input.length > 0 ? valueIn(field, input) : field) : null;
  } catch {
    return null;
  }
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
