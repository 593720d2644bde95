import { pick, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useCallback, useEffect, useRef, useState } from "react";
import { useAnswers } from "./answers";
import {
  authorizationOf,
  basic,
  currentAccount,
  readHeaders,
  transferTarget,
  useBrought,
  useChosenAccount,
  withCredentials,
} from "./credentials";
import { exampleOf, variablesText } from "./examples";
import { readLiveValues, useFilled, type LiveValues } from "./live";
import type { Settings } from "./settings";

/**
 * Keep the tab in front ready to run: the chosen account's credentials in the headers, and in an
 * example's variables numbers that exist at this moment. What a person has typed is never replaced.
 *
 * Returns a function that fills in fresh values on request, and why there were none the last time.
 */
export function useTabKeeper(settings: Settings): { refill(): Promise<void>; lack: string | null } {
  const { tabs, activeTabIndex } = useGraphiQL(pick("tabs", "activeTabIndex"));
  const { headerEditor, variableEditor } = useGraphiQL(pick("headerEditor", "variableEditor"));
  const { updateActiveTabValues } = useGraphiQLActions();
  const sid = useChosenAccount((state) => state.sid);
  const brought = useBrought();
  const changes = useAnswers((state) => state.changes);
  const live = useRef<{ values: LiveValues | null; changes: number; sid: string | null } | null>(null);

  const [lack, setLack] = useState<string | null>(null);

  const accounts = settings.sandbox?.accounts ?? NONE;
  const tab = tabs[activeTabIndex];
  const tabId = tab?.id;
  const query = tab?.query;
  const example = exampleOf(query);

  const authorize = useCallback(() => {
    const account = currentAccount(accounts, sid);
    const wanted = account ? { Authorization: basic(account) } : brought.headers;
    const headers = headerEditor && readHeaders(headerEditor.getValue());
    if (!wanted || !headers) return;
    const authorization = authorizationOf(headers);
    const before = [...accounts.map((known) => ({ Authorization: basic(known) })), ...brought.given];
    const ours = before.findLast((known) => authorizationOf(known) === authorization);
    // What a person typed is theirs; what is missing, or was filled in here, is not.
    if (Object.keys(headers).length > 0 && !ours) return;
    if (ours && Object.entries(wanted).every(([name, value]) => headers[name] === value)) return;
    headerEditor.setValue(JSON.stringify(withCredentials(headers, wanted, ours), null, 2));
  }, [accounts, brought, headerEditor, sid]);

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
      const values = live.current?.values ?? null;
      setLack((values && !example.variables?.(values) && example.lacking?.(values)) || null);
      const filled = variablesText(example, values);
      remember(example.name, filled);
      if (filled === text) return;
      variableEditor.setValue(filled);
      // GraphiQL writes down what an editor holds a moment later: too late when the tab changes meanwhile.
      updateActiveTabValues({ variables: filled });
    },
    [
      accounts,
      changes,
      example,
      headerEditor,
      settings.graphqlPath,
      sid,
      updateActiveTabValues,
      variableEditor,
    ],
  );

  useEffect(() => setLack(null), [tabId, sid]);
  useEffect(() => {
    // Without a sandbox nobody has been asked for credentials yet, and calls may cost money.
    if (settings.sandbox) void fill(false);
    // After a change, too: what was bought or released a moment ago cannot be bought or released again.
  }, [fill, tabId, settings.sandbox]);

  const refill = useCallback(() => fill(true), [fill]);
  return { refill, lack };
}

const NONE: never[] = [];
