import EditorWorker from "monaco-editor/esm/vs/editor/editor.worker.js?worker";
import JsonWorker from "monaco-editor/esm/vs/language/json/json.worker.js?worker";
import GraphqlWorker from "monaco-graphql/esm/graphql.worker.js?worker";

/** Where JSON is typed; the response is only read. */
const JSON_EDITORS = ".graphiql-editor-tool";

/** Every worker is a file of the same origin: no blob URL, nothing for the policy to make an exception for. */
self.MonacoEnvironment = {
  async getWorker(_id: string, label: string): Promise<Worker> {
    if (label === "graphql") return new GraphqlWorker();
    if (label !== "json") return new EditorWorker();
    // It checks and completes what is typed into variables and headers; most visits do not need it.
    await focusIn(JSON_EDITORS);
    return new JsonWorker();
  },
};

function focusIn(selector: string): Promise<void> {
  const within = (element: EventTarget | null) => element instanceof Element && element.closest(selector);
  if (within(document.activeElement)) return Promise.resolve();
  return new Promise((resolve) => {
    const listener = (event: FocusEvent) => {
      if (!within(event.target)) return;
      document.removeEventListener("focusin", listener);
      resolve();
    };
    document.addEventListener("focusin", listener);
  });
}
