import { pick, useGraphiQL } from "@graphiql/react";
import { useCallback, useEffect, useRef } from "react";
import { useAnswers } from "./answers";
import {
  authorizationOf,
  basic,
  currentAccount,
  headersFor,
  readHeaders,
  transferTarget,
  useChosenAccount,
} from "./credentials";
import { exampleOf, variablesText } from "./examples";
import { readLiveValues, useFilled, type LiveValues } from "./live";
import type { Settings } from "./settings";

/**
 * Keep the tab in front ready to run: the chosen account's credentials in the headers, and in an
 * example's variables numbers that exist at this moment. What a person has typed is never replaced.
 *
 * Returns a function that fills in fresh values on request.
 */
export function useTabKeeper(settings: Settings): () => Promise<void> {
  const { tabs, activeTabIndex } = useGraphiQL(pick("tabs", "activeTabIndex"));
  const { headerEditor, variableEditor } = useGraphiQL(pick("headerEditor", "variableEditor"));
  const sid = useChosenAccount((state) => state.sid);
  const live = useRef<{ values: LiveValues | null; changes: number; sid: string | null } | null>(null);

  const accounts = settings.sandbox?.accounts ?? NONE;
  const tab = tabs[activeTabIndex];
  const tabId = tab?.id;
  const query = tab?.query;
  const example = exampleOf(query);

  const authorize = useCallback(() => {
    const account = currentAccount(accounts, sid);
    if (!headerEditor || !account) return;
    const text = headerEditor.getValue();
    const headers = readHeaders(text);
    if (!headers) return;
    const authorization = authorizationOf(headers);
    const ours = accounts.some((known) => basic(known) === authorization);
    if (Object.keys(headers).length === 0) headerEditor.setValue(headersFor(account));
    else if (ours && authorization !== basic(account)) {
      headerEditor.setValue(text.replace(authorization ?? "", basic(account)));
    }
  }, [accounts, headerEditor, sid]);

  useEffect(authorize, [authorize, tabId]);

  // An operation from the history comes without headers: the editor is emptied at a stroke, and not
  // by somebody who is typing.
  useEffect(() => {
    const listener = headerEditor?.getModel()?.onDidChangeContent((event) => {
      if (event.isFlush && !headerEditor.getValue()) authorize();
    });
    return () => listener?.dispose();
  }, [authorize, headerEditor]);

  const fill = useCallback(
    async (force: boolean) => {
      if (!example || !variableEditor || !headerEditor) return;
      const { texts, remember } = useFilled.getState();
      const text = variableEditor.getValue();
      const untouched = ["", texts[example.name], variablesText(example, null)].includes(text);
      if (!force && !untouched) return;

      const { changes } = useAnswers.getState();
      const known = live.current;
      const fresh = !force && known?.values && known.changes === changes && known.sid === sid;
      if (example.variables && !fresh) {
        const headers = readHeaders(headerEditor.getValue()) ?? {};
        const target = transferTarget(accounts, currentAccount(accounts, sid));
        const values = await readLiveValues(settings.graphqlPath, headers, target?.sid ?? null);
        live.current = { values, changes, sid };
      }
      // The answer may come when another tab is in front, or after somebody began to type.
      if (variableEditor.getValue() !== text) return;
      const filled = variablesText(example, live.current?.values ?? null);
      remember(example.name, filled);
      if (filled !== text) variableEditor.setValue(filled);
    },
    [accounts, example, headerEditor, settings.graphqlPath, sid, variableEditor],
  );

  useEffect(() => {
    // Without a sandbox nobody has been asked for credentials yet, and calls may cost money.
    if (settings.sandbox) void fill(false);
  }, [fill, tabId, settings.sandbox]);

  return useCallback(() => fill(true), [fill]);
}

const NONE: never[] = [];
