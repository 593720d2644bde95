import { useEffect, useRef } from "react";
import { useFrontTab } from "./front-tab";

const DECLARES = /\$\w+\s*:/;

/**
 * Show the variables of a tab that has some, and fold the pane away on one that has none. Headers that
 * somebody looks at stay.
 */
export function useVariablesPane(roomy: boolean): void {
  const tab = useFrontTab();
  const id = tab?.id;
  const wanted = Boolean(tab?.variables?.trim()) || DECLARES.test(tab?.query ?? "");
  const seen = useRef<string>(undefined);
  useEffect(() => {
    const changed = id !== seen.current;
    seen.current = id;
    // Not under the hands of somebody who types: then it only opens.
    if (!roomy || (!changed && !wanted) || button("data-name=headers")?.matches(".active")) return;
    if (wanted) button("data-name=variables")?.click();
    else button("aria-label='Hide editor tools'")?.click();
  }, [id, roomy, wanted]);
}

/** GraphiQL keeps the pane's state to itself: its buttons are the way to it. */
function button(attribute: string): HTMLElement | null {
  return document.querySelector(`.graphiql-editor-tools button[${attribute}]`);
}
