import { pick, useGraphiQL } from "@graphiql/react";
import { useEffect } from "react";
import { useAnswers } from "./answers";
import { settle, showLate } from "./fetcher";
import { readHeaders } from "./credentials";
import { leaveFirstPage } from "./first-page";

/** As soon as the editor is there, go on with what was typed and run before. */
export function useFirstPage(tab: string): void {
  const { queryEditor, responseEditor, headerEditor } = useGraphiQL(
    pick("queryEditor", "responseEditor", "headerEditor"),
  );
  useEffect(() => {
    if (!queryEditor || !responseEditor || !tab) return;
    const { typed, selection, ran } = leaveFirstPage();
    if (typed !== null) queryEditor.setValue(typed);
    const model = queryEditor.getModel();
    if (selection && model) {
      const [start, end] = selection.map((offset) => model.getPositionAt(offset));
      if (start && end)
        queryEditor.setSelection({
          startLineNumber: start.lineNumber,
          startColumn: start.column,
          endLineNumber: end.lineNumber,
          endColumn: end.column,
        });
      queryEditor.focus();
    }
    if (!ran) return;
    const headers = readHeaders(headerEditor?.getValue() ?? "") ?? {};
    const run = useAnswers.getState().begin(tab);
    const shown = { operation: ran.operation, headers, data: null, run };
    const operationName = ran.operation.operationName ?? null;
    // It may still be on its way.
    void ran.answer.then((answer) => {
      showLate(tab, run, settle(tab, { operationName, kind: "query", shown }, answer));
    });
  }, [headerEditor, queryEditor, responseEditor, tab]);
}
