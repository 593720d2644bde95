import { pick, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useCallback, useEffect, useRef, useState } from "react";
import {
  accountOf,
  asker,
  authorizationOf,
  basic,
  currentAccount,
  readHeaders,
  transferTarget,
  useBrought,
  useChosenAccount,
  withCredentials,
  type Headers,
} from "./credentials";
import { exampleOf, variablesText, type Example } from "./examples";
import { useFrontTab } from "./front-tab";
import { readNumbers, type LiveValues } from "./live";
import type { Settings } from "./settings";
import { touch, useTouched, type Owned } from "./touched";

/** What a tab's example offers to fill in. */
interface TabKeeper {
  /** Numbers of the account, to choose one. */
  owned: Owned[];
  /** Why nothing can be filled in. */
  lack: string | null;
  /** Read what there is for whoever asks by now. */
  load(): Promise<void>;
  /** Fill in another number: the one that is named, or one that is for sale by now. */
  choose(number: Owned | null): Promise<void>;
}

/**
 * Keep the tab in front ready to run: the chosen account's credentials in the headers, and in an
 * example's variables, as long as they are its sample, a number that is for sale or the one that the
 * person touched last. When the tab comes back, such a one gives way to one touched since. Whatever else
 * stands there changes only on request.
 */
export function useTabKeeper(settings: Settings): TabKeeper {
  const { headerEditor, variableEditor } = useGraphiQL(pick("headerEditor", "variableEditor"));
  const { updateActiveTabValues } = useGraphiQLActions();
  const sid = useChosenAccount((state) => state.sid);
  const brought = useBrought();
  const [numbers, setNumbers] = useState<Numbers>(NO_NUMBERS);
  /** By id of the tab: what was filled in for the sake of the number touched last. */
  const filledIn = useRef<Record<string, string>>({});
  /** Another one with each tab, example and account: what was asked for one is not for the next. */
  const scene = useRef({});

  const accounts = settings.sandbox?.accounts ?? NONE;
  const tab = useFrontTab();
  const tabId = tab?.id;
  const example = exampleOf(tab?.query);

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
    const text = JSON.stringify(withCredentials(headers, wanted, ours), null, 2);
    headerEditor.setValue(text);
    // At once: the rows of the account before are to offer nothing any more.
    updateActiveTabValues({ headers: text });
  }, [accounts, brought, headerEditor, sid, updateActiveTabValues]);

  useEffect(authorize, [authorize, tabId]);

  // An operation from the history comes without headers: the editor is emptied at a stroke, and not
  // by somebody who is typing.
  useEffect(() => {
    const listener = headerEditor?.getModel()?.onDidChangeContent((event) => {
      if (event.isFlush && !headerEditor.getValue()) authorize();
    });
    return () => listener?.dispose();
  }, [authorize, headerEditor]);

  const read = useCallback(async (): Promise<Numbers | null> => {
    if (!example?.needs || !headerEditor) return NO_NUMBERS;
    const asked = scene.current;
    const headers = readHeaders(headerEditor.getValue()) ?? {};
    const found = await readNumbers(example.needs, settings.graphqlPath, headers);
    return asked === scene.current ? { ...found, of: example, by: headers } : null;
  }, [example, headerEditor, settings.graphqlPath]);

  const valuesOf = useCallback(
    (found: Numbers, chosen: Owned | null): LiveValues => {
      const target = transferTarget(accounts, currentAccount(accounts, sid));
      return { ...found, chosen, otherAccount: target?.sid ?? null };
    },
    [accounts, sid],
  );

  const write = useCallback(
    (text: string) => {
      if (!variableEditor || variableEditor.getValue() === text) return;
      variableEditor.setValue(text);
      // GraphiQL writes down what an editor holds a moment later: too late when the tab changes meanwhile.
      updateActiveTabValues({ variables: text });
    },
    [updateActiveTabValues, variableEditor],
  );

  const choose = useCallback(
    async (number: Owned | null) => {
      const found = number ? numbers : await read();
      if (!found) return;
      if (number) touch(number);
      else setNumbers(found);
      const filled = example?.variables?.(valuesOf(found, number));
      if (filled) write(variablesText(filled));
    },
    [example, numbers, read, valuesOf, write],
  );

  const load = useCallback(async () => {
    const headers = readHeaders(headerEditor?.getValue() ?? "") ?? {};
    if (numbers.owned.length > 0 && asker(headers) === asker(numbers.by)) return;
    const found = await read();
    if (found) setNumbers(found);
  }, [headerEditor, numbers, read]);

  useEffect(() => {
    scene.current = {};
    setNumbers(NO_NUMBERS);
    // Without a sandbox nobody has been asked for credentials yet, and calls may cost money.
    if (!settings.sandbox || !example?.needs || !variableEditor) return;
    void read().then((found) => {
      if (!found) return;
      setNumbers(found);
      const { number } = useTouched.getState();
      const own = number?.accountSid === accountOf(found.by) ? number : null;
      const filled = example.variables?.(valuesOf(found, own));
      const ours = ["", variablesText(example.sample), filledIn.current[tabId ?? ""]];
      if (!filled || !ours.includes(variableEditor.getValue())) return;
      const text = variablesText(filled);
      if (own && tabId) filledIn.current[tabId] = text;
      write(text);
    });
  }, [tabId, example, read, settings.sandbox, sid, valuesOf, variableEditor, write]);

  const known = example !== undefined && numbers.of === example;
  const lack = known ? (example.lacking?.(valuesOf(numbers, null)) ?? null) : null;
  return { owned: known ? numbers.owned : NONE, lack, load, choose };
}

const NONE: never[] = [];

/** What was read for an example, and by whom. */
interface Numbers extends Pick<LiveValues, "owned" | "available"> {
  of: Example | null;
  by: Headers;
}

const NO_NUMBERS: Numbers = { owned: NONE, available: null, of: null, by: {} };
