import { pick, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useMemo } from "react";
import { useFrontTab } from "../front-tab";
import { readObject } from "../json";
import type { Operation } from "../wire";
import { searchIn, withArea, type Area } from "./area";

/** The search in the editor, and how it is run for another area. */
export interface AreaSearch {
  area: Area | null;
  /** `country` is the code of the one where the area lies, if it is known. */
  run(area: Area, country: string | null): void;
}

/** Null while the operation in the editor searches for no numbers, or is unfinished. */
export function useAreaSearch(): AreaSearch | null {
  const tab = useFrontTab();
  const { queryEditor, variableEditor } = useGraphiQL(pick("queryEditor", "variableEditor"));
  const { run, updateActiveTabValues } = useGraphiQLActions();
  const [query, variables, operationName] = [
    tab?.query ?? "",
    tab?.variables ?? "",
    tab?.operationName ?? null,
  ];

  return useMemo(() => {
    const values = readObject(variables);
    const operation: Operation = {
      query,
      operationName: nameIn(query, operationName),
      variables: values ?? {},
    };
    const search = queryEditor && values ? searchIn(operation) : null;
    if (!queryEditor || !search) return null;
    const runFor = (area: Area, country: string | null) => {
      const changed = withArea(operation, search, area, country);
      const model = queryEditor.getModel();
      // In a way that can be undone.
      if (model && model.getValue() !== changed.query) {
        queryEditor.pushUndoStop();
        queryEditor.executeEdits("map", [{ range: model.getFullModelRange(), text: changed.query }]);
        queryEditor.pushUndoStop();
      }
      const text = JSON.stringify(changed.variables ?? {}, null, 2);
      if (text !== JSON.stringify(values, null, 2)) {
        variableEditor?.setValue(text);
        updateActiveTabValues({ query: changed.query, variables: text });
      } else updateActiveTabValues({ query: changed.query });
      run();
    };
    return { area: search.area, run: runFor };
  }, [query, variables, operationName, queryEditor, variableEditor, run, updateActiveTabValues]);
}

/** GraphiQL may still hold the name of the tab before. */
function nameIn(query: string, name: string | null): string | null {
  return name && new RegExp(`\\b(query|mutation|subscription)\\s+${name}\\b`).test(query) ? name : null;
}
