import { Kind, parse, type DocumentNode, type SelectionSetNode } from "graphql";
import { create } from "zustand";
import { asker, type Headers } from "./credentials";
import { fragment } from "./operation-edits";
import type { Operation } from "./wire";

/** A mutation that waits for a person's word before it goes to a real upstream. */
export interface RunQuestion {
  operation: Operation;
  headers: Headers;
  /** Names of the mutations in it. */
  fields: string[];
  answer(agreed: boolean): void;
}

export const useRunQuestion = create<{ question: RunQuestion | null }>(() => ({ question: null }));

/** What has been agreed to: the very same thing for the same account is not asked about again. */
const agreed = new Set<string>();

export async function askToRun(operation: Operation, headers: Headers): Promise<boolean> {
  const { query, operationName, variables } = operation;
  const wanted = JSON.stringify([query, operationName, variables, asker(headers)]);
  if (agreed.has(wanted)) return true;
  const yes = await new Promise<boolean>((resolve) => {
    const answer = (yes: boolean) => {
      useRunQuestion.setState({ question: null });
      resolve(yes);
    };
    useRunQuestion.setState({ question: { operation, headers, fields: fieldsOf(operation), answer } });
  });
  if (yes) agreed.add(wanted);
  return yes;
}

function fieldsOf({ query, operationName }: Operation): string[] {
  const document = parse(query);
  const operation = document.definitions.find(
    (each) =>
      each.kind === Kind.OPERATION_DEFINITION && (!operationName || each.name?.value === operationName),
  );
  return operation?.kind === Kind.OPERATION_DEFINITION ? names(document, operation.selectionSet) : [];
}

function names(document: DocumentNode, { selections }: SelectionSetNode): string[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return [selection.name.value];
    if (selection.kind === Kind.INLINE_FRAGMENT) return names(document, selection.selectionSet);
    const spread = fragment(document, selection.name.value);
    return spread ? names(document, spread.selectionSet) : [];
  });
}
