import { pick, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect, useLayoutEffect, useRef } from "react";
import { useAnswers } from "./answers";
import { readHeaders } from "./credentials";
import { attach, keepOnly } from "./feeds";
import { useFrontTab } from "./front-tab";
import { whose } from "./kept-answers";

/** Let subscriptions and answers live as long as their tabs, whichever is in front. */
export function useKeptTabs(tabInFront: { id: string }): void {
  const { tabs, headerEditor } = useGraphiQL(pick("tabs", "headerEditor"));
  const { run, stop, updateActiveTabValues } = useGraphiQLActions();
  const tab = useFrontTab();
  const id = tab?.id ?? "";
  const query = useRef("");
  query.current = tab?.query ?? "";

  // Before anything that comes in can be taken for the other tab's.
  useLayoutEffect(() => {
    tabInFront.id = id;
    attach(id, query.current, () => void run());
    // GraphiQL is to wait for nothing of a tab that goes to the back: what comes is kept for it.
    return stop;
  }, [id, run, stop, tabInFront]);

  const ids = tabs.map((each) => each.id).join(" ");
  useEffect(() => {
    const open = new Set(ids.split(" "));
    keepOnly(open);
    useAnswers.getState().keepOnly(open);
  }, [ids]);

  // After a reload the editor has headers that its tab does not know of.
  const unknown = !tab?.headers;
  useEffect(() => {
    const headers = headerEditor?.getValue();
    if (headers && unknown) updateActiveTabValues({ headers });
  }, [headerEditor, id, unknown, updateActiveTabValues]);
  useAdoption(id, tab?.headers ?? "");
}

/** Rows of before a reload are acted on with the credentials of now, where these are the same account's. */
function useAdoption(tab: string, headersText: string): void {
  const answer = useAnswers((state) => state.byTab[tab]);
  useEffect(() => {
    const keptOf = answer?.shown.keptOf;
    const headers = readHeaders(headersText);
    if (!answer || !headers || typeof keptOf !== "string") return;
    if (whose(headers) !== keptOf) return;
    const { keptOf: _, ...shown } = answer.shown;
    useAnswers.getState().record(tab, { ...answer, shown: { ...shown, headers } });
  }, [tab, answer, headersText]);
}
