import "./monaco";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./styles/graphiql.css";
import "./styles/panels.css";
import "./styles/results.css";
import "./styles/errors.css";
import "./styles/plan.css";
import "./styles/share.css";
import "./styles/topbar.css";
import "./styles/small.css";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { keepAnswers } from "./kept-answers";
import type { Settings } from "./settings";

/** Put the explorer in place of the shell. */
export function mount(root: HTMLElement, topbar: HTMLElement, settings: Settings): void {
  keepAnswers();
  topbar.replaceChildren();
  createRoot(root).render(<App settings={settings} topbar={topbar} />);
}
