import { pick, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect, useRef, useState } from "react";
import { useFrontTab } from "../front-tab";
import { takeLinked, type Linked } from "./link";

/** Open what a link shares in a tab of its own, to be read and run: it never runs by itself. */
export function useLinked(): void {
  const { queryEditor, variableEditor } = useGraphiQL(pick("queryEditor", "variableEditor"));
  const { addTab, updateActiveTabValues } = useGraphiQLActions();
  const [linked, setLinked] = useState<Linked | null>(null);
  const opening = useRef(false);

  useEffect(() => {
    const take = () => {
      const found = takeLinked();
      if (found) setLinked(found);
    };
    take();
    addEventListener("hashchange", take);
    return () => removeEventListener("hashchange", take);
  }, []);

  const tab = useFrontTab();
  useEffect(() => {
    if (!linked || !queryEditor || !variableEditor) return;
    if (!opening.current && (tab?.query?.trim() || tab?.variables?.trim())) {
      opening.current = true;
      addTab();
      return;
    }
    opening.current = false;
    setLinked(null);
    queryEditor.setValue(linked.query);
    variableEditor.setValue(linked.variables);
    // A tab is named as GraphiQL finds out later.
    updateActiveTabValues({ query: linked.query, variables: linked.variables });
    queryEditor.focus();
  }, [addTab, linked, queryEditor, tab, updateActiveTabValues, variableEditor]);
}
