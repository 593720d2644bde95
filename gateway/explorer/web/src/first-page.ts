import { takeTrace } from "./answers";
import { basic, currentAccount, isLocked, useChosenAccount } from "./credentials";
import { EXAMPLES, variablesText } from "./examples";
import { readObject } from "./json";
import type { Settings } from "./settings";
import { send, type Exchange, type Operation } from "./wire";

/** Milliseconds from the start of the page for which the whole explorer is waited for. */
const PATIENCE = 700;
const TABS = "graphiql:tabState";

/** What a person did on the first page: the whole explorer goes on from there. */
export interface Begun {
  /** The operation as it stands; null when nothing was typed. */
  typed: string | null;
  /** Where the cursor is; null when it is elsewhere. */
  selection: [number, number] | null;
  /** What was run last, and what comes of it. */
  ran: { operation: Operation; answer: Promise<Exchange> } | null;
}

let leave: () => Begun = () => NOTHING;
const NOTHING: Begun = { typed: null, selection: null, ran: null };

/** Take the first page away; return what was done on it. */
export function leaveFirstPage(): Begun {
  const begun = leave();
  leave = () => NOTHING;
  return begun;
}

/**
 * On a slow connection the editor takes a while: until it is there, an operation can be typed and run in
 * a page that is made of what every browser has. Fast ones never see it.
 */
export function prepareFirstPage(root: HTMLElement, settings: Settings): void {
  if (isLocked(settings, "")) return;
  const timer = setTimeout(() => (leave = show(root, settings)), Math.max(0, PATIENCE - performance.now()));
  leave = () => {
    clearTimeout(timer);
    return NOTHING;
  };
}

function show(root: HTMLElement, settings: Settings): () => Begun {
  const first = firstOperation();
  const page = document.createElement("main");
  page.className = "first-page";
  page.innerHTML = `
    <div class="first-bar">
      <button type="button" class="first-run">Run</button>
      <p role="status">The whole explorer is on its way.</p>
    </div>
    <textarea aria-label="Operation" spellcheck="false" autocapitalize="off" autocomplete="off"></textarea>
    <pre tabindex="0" role="region" aria-label="Answer"></pre>`;
  const [run, status, text, answer] = ["button", "p", "textarea", "pre"].map((each) =>
    page.querySelector(each),
  ) as [HTMLButtonElement, HTMLElement, HTMLTextAreaElement, HTMLElement];
  text.value = first.query;
  let ran: Begun["ran"] = null;

  const start = async () => {
    if (run.disabled) return;
    // The whole explorer asks before it changes what is real, and shows what it asks about.
    if (!settings.sandbox && /\b(mutation|subscription)\b/.test(text.value)) {
      status.textContent = "That needs the whole explorer, which is on its way.";
      return;
    }
    run.disabled = true;
    status.textContent = "Running…";
    const explain = settings.explain ? "trace" : null;
    const operation = { ...first, query: text.value };
    const answered = send(settings.graphqlPath, operation, headersOf(settings), explain);
    ran = { operation, answer: answered };
    const done = await answered;
    run.disabled = false;
    status.textContent = done.status ? `${done.status} · ${Math.round(done.durationMs)} ms` : "No answer";
    answer.textContent = JSON.stringify(takeTrace(done.body).body, null, 2);
  };
  run.addEventListener("click", () => void start());
  page.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void start();
  });

  root.inert = true;
  root.after(page);
  return () => {
    const selection: Begun["selection"] =
      document.activeElement === text ? [text.selectionStart, text.selectionEnd] : null;
    root.inert = false;
    page.remove();
    return { typed: text.value === first.query ? null : text.value, selection, ran };
  };
}

/** The operation of the tab that was in front when the page was last left, or the first example. */
function firstOperation(): Operation {
  try {
    const { tabs, activeTabIndex } = JSON.parse(localStorage.getItem(TABS) ?? "") as {
      tabs: { query: string | null; variables: string | null; operationName?: string | null }[];
      activeTabIndex: number;
    };
    const tab = tabs[activeTabIndex];
    if (tab) return { query: tab.query ?? "", variables: readObject(tab.variables ?? "") ?? {} };
  } catch {
    // The first visit.
  }
  const [example] = EXAMPLES;
  return { query: example?.query ?? "", variables: readObject(variablesText(example?.sample)) ?? {} };
}

function headersOf(settings: Settings): Record<string, string> {
  const account = currentAccount(settings.sandbox?.accounts ?? [], useChosenAccount.getState().sid);
  return account ? { Authorization: basic(account) } : {};
}
