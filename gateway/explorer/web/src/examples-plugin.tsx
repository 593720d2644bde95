import { pick, useGraphiQL, useGraphiQLActions, type GraphiQLPlugin } from "@graphiql/react";
import { EXAMPLES, exampleOf, type Example } from "./examples";
import { closePanel, EXAMPLES_TITLE } from "./panels";

function ExamplesPanel() {
  const { tabs, activeTabIndex, queryEditor } = useGraphiQL(pick("tabs", "activeTabIndex", "queryEditor"));
  const { changeTab, addTab } = useGraphiQLActions();
  const current = exampleOf(tabs[activeTabIndex]?.query);

  const open = (example: Example) => {
    const index = tabs.findIndex((tab) => tab.query === example.query);
    if (index >= 0) {
      changeTab(index);
    } else {
      addTab();
      queryEditor?.setValue(example.query);
    }
    // On a phone the panel covers the editor that it has just filled.
    if (matchMedia("(max-width: 760px)").matches) closePanel(EXAMPLES_TITLE);
  };

  return (
    <div className="panel">
      <h2 className="panel-title">Examples</h2>
      <p className="panel-note">
        Most run as they stand; those that change a number of yours ask you to choose it. A tab that you
        closed opens again.
      </p>
      <ul className="examples">
        {EXAMPLES.map((example) => (
          <li key={example.name}>
            <button type="button" aria-current={example === current} onClick={() => open(example)}>
              <b>{example.job}</b>
              <span>{example.about}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function ExamplesIcon() {
  return (
    <svg viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinejoin="round">
      <path d="M3 3.5h5.5v5.5H3zM11.5 3.5H17v5.5h-5.5zM3 12h5.5v4.5H3zM11.5 12H17v4.5h-5.5z" />
    </svg>
  );
}

export const EXAMPLES_PLUGIN: GraphiQLPlugin = {
  title: EXAMPLES_TITLE,
  icon: ExamplesIcon,
  content: ExamplesPanel,
};
