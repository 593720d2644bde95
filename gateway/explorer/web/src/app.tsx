import { DOCS_PLUGIN } from "./docs-plugin";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import { HISTORY_PLUGIN } from "@graphiql/plugin-history";
import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { GraphiQL } from "graphiql";
import { useCallback, useEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";

import { useAnswers } from "./answers";
import { currentAccount, headersFor, useChosenAccount } from "./credentials";
import { EDITOR_THEME, useEditorLooks } from "./editor-looks";
import { EXAMPLES, variablesText } from "./examples";
import { EXAMPLES_PLUGIN } from "./examples-plugin";
import { isFollowed } from "./feeds";
import { createFetcher } from "./fetcher";
import { useFrontTab } from "./front-tab";
import { Panes } from "./panes";
import type { Ask } from "./results/deeds";
import { Results } from "./results/results";
import type { Settings } from "./settings";
import { useLinked } from "./share/use-linked";
import { storageWithoutHeaders } from "./storage";
import { Toolbar } from "./toolbar";
import { TopBar } from "./topbar";
import { useUpstreamAt } from "./upstream/upstream-at";
import { UPSTREAM_PLUGIN } from "./upstream/plugin";
import { usePlanner } from "./upstream/use-plan";
import { useFirstPage } from "./use-first-page";
import { useKeptTabs } from "./use-kept-tabs";
import { useNames } from "./use-names";
import { useRunKeys } from "./use-run-keys";
import { useVariablesPane } from "./use-variables-pane";
import { VariablesForm } from "./variables/dialog";
import { send } from "./wire";

const PLUGINS = [EXAMPLES_PLUGIN, UPSTREAM_PLUGIN, explorerPlugin(), HISTORY_PLUGIN];
/** Below this width a panel would leave no room for the editors. */
const ROOMY = "(min-width: 1100px)";

export function App({ settings, topbar }: { settings: Settings; topbar: Element }) {
  const [tabInFront] = useState(() => ({ id: "" }));
  useState(() => useUpstreamAt.setState({ sandbox: settings.sandbox?.url ?? null }));
  const [fetcher] = useState(() => createFetcher(settings, () => tabInFront.id));
  const ask: Ask = useCallback(
    (operation, headers, traced) =>
      send(settings.graphqlPath, operation, headers, traced && settings.explain ? "trace" : null),
    [settings],
  );
  const [start] = useState(() => {
    const account = currentAccount(settings.sandbox?.accounts ?? [], useChosenAccount.getState().sid);
    const headers = account ? headersFor(account) : "";
    const tabs = EXAMPLES.map((example) => ({
      query: example.query,
      variables: variablesText(example.sample),
      headers,
    }));
    return { headers, tabs, roomy: matchMedia(ROOMY).matches };
  });

  return (
    <GraphiQL
      className="number-gateway"
      fetcher={fetcher}
      plugins={PLUGINS}
      referencePlugin={DOCS_PLUGIN}
      visiblePlugin={start.roomy ? EXAMPLES_PLUGIN : undefined}
      editorTheme={EDITOR_THEME}
      defaultTabs={start.tabs}
      defaultHeaders={start.headers}
      defaultQuery=""
      storage={storageWithoutHeaders}
      shouldPersistHeaders={false}
      defaultEditorToolsVisibility={false}
      inputValueDeprecation
      schemaDescription
    >
      <GraphiQL.Logo>
        <span />
      </GraphiQL.Logo>
      <GraphiQL.Toolbar>
        {({ prettify, merge, copy }) => (
          <Toolbar settings={settings}>
            {prettify}
            {merge}
            {copy}
          </Toolbar>
        )}
      </GraphiQL.Toolbar>
      <GraphiQL.Footer>
        <Results settings={settings} ask={ask} />
      </GraphiQL.Footer>
      <Page settings={settings} topbar={topbar} tabInFront={tabInFront} roomy={start.roomy} />
    </GraphiQL>
  );
}

/** What runs beside GraphiQL's own layout: the bar above it, and the upkeep of its stores. */
function Page({
  settings,
  topbar,
  tabInFront,
  roomy,
}: {
  settings: Settings;
  topbar: Element;
  tabInFront: { id: string };
  roomy: boolean;
}) {
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const id = useFrontTab()?.id ?? "";
  // All tabs share one editor: another operation is shown from its start.
  useEffect(() => queryEditor?.setScrollTop(0), [queryEditor, id]);
  useEffect(() => {
    // More tabs than fit: the one in front must be among those in sight.
    document.querySelector(".graphiql-tab-active")?.scrollIntoView({ inline: "nearest", block: "nearest" });
  }, [id]);
  useFirstPage(id);
  useKeptTabs(tabInFront);
  useLinked();
  useForgetting(id);
  useLateAnswer(id);
  useEditorLooks();
  useNames();
  useRunKeys();
  useVariablesPane(roomy);
  usePlanner(settings);
  return (
    <>
      {createPortal(<TopBar settings={settings} />, topbar)}
      <Panes />
      <VariablesForm settings={settings} />
    </>
  );
}

/** What cannot be sent, say for a slip in the headers, leaves no answer: the one before is not its own. */
function useForgetting(tab: string): void {
  const runs = useGraphiQL((state) => state.queryId);
  const begun = useAnswers((state) => state.begun);
  const seen = useRef({ runs, begun });
  useEffect(() => {
    const sent = begun !== seen.current.begun || isFollowed(tab);
    if (runs !== seen.current.runs && !sent) useAnswers.getState().forget(tab);
    seen.current = { runs, begun };
  }, [runs, begun, tab]);
}

/** An answer that came while another tab was in front is shown when its own comes back. */
function useLateAnswer(tab: string): void {
  const responseEditor = useGraphiQL((state) => state.responseEditor);
  const { updateActiveTabValues } = useGraphiQLActions();
  const answer = useAnswers((state) => state.byTab[tab]);
  useEffect(() => {
    if (!answer?.late || !responseEditor) return;
    const response = JSON.stringify(answer.late, null, 2);
    responseEditor.setValue(response);
    updateActiveTabValues({ response });
    useAnswers.getState().record(tab, { ...answer, late: undefined });
  }, [tab, answer, responseEditor, updateActiveTabValues]);
}
