import { useEffect } from "react";

/**
 * What GraphiQL and its panels leave without a role or a name that fits. They cannot be told to, so it is
 * mended where they draw it.
 */
const MENDS: Record<string, (element: HTMLElement) => void> = {
  // A tab held its own button and the one that closes it: only the first can be the tab.
  ".graphiql-tab[aria-selected]": (tab) => {
    tab.setAttribute("role", "presentation");
    tab.removeAttribute("aria-selected");
  },
  ".graphiql-tab-button": (button) => {
    const active = button.closest(".graphiql-tab-active") !== null;
    button.setAttribute("role", "tab");
    button.setAttribute("aria-selected", String(active));
    button.setAttribute("aria-keyshortcuts", "Delete");
    button.tabIndex = active ? 0 : -1;
  },
  ".graphiql-tab-close": (button) => {
    button.setAttribute("aria-hidden", "true");
    button.tabIndex = -1;
  },
  // Tab goes the way that eyes go: the bars stand above what they are for.
  ".graphiql-query-editor > .graphiql-toolbar": toTheFront,
  ".graphiql-response > .graphiql-footer": toTheFront,
  // What scrolls can be reached by the keyboard.
  ".graphiql-plugin": (panel) => {
    if (panel.querySelector(FOCUSABLE)) panel.removeAttribute("tabindex");
    else panel.tabIndex = 0;
  },
  // Its own text is its name.
  ".graphiql-history-item-label[aria-label]": (label) => label.removeAttribute("aria-label"),
  ".docExplorerWrap form > select:not([aria-label])": (select) =>
    select.setAttribute("aria-label", "Kind of operation to add"),
};

/** Neither of these places has children that come and go before it, so React finds its own again. */
function toTheFront(element: HTMLElement): void {
  const place = element.parentElement;
  if (place && place.firstElementChild !== element) place.prepend(element);
}

const FOCUSABLE = "button, a, input, select, summary, [tabindex='0']";

export function useNames(): void {
  useEffect(() => {
    const page = document.querySelector(".graphiql-container");
    if (!page) return undefined;
    const mend = () => {
      for (const [selector, change] of Object.entries(MENDS))
        page.querySelectorAll<HTMLElement>(selector).forEach(change);
    };
    const observer = new MutationObserver(mend);
    observer.observe(page, { childList: true, subtree: true, attributeFilter: ["class"] });
    mend();
    page.addEventListener("keydown", moveAmongTabs as EventListener);
    return () => {
      observer.disconnect();
      page.removeEventListener("keydown", moveAmongTabs as EventListener);
    };
  }, []);
}

/** Arrows, Home and End bring another tab of a list to the front; Delete closes one of GraphiQL's. */
function moveAmongTabs(event: KeyboardEvent): void {
  const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[role=tab]") : null;
  const list = button?.closest("[role=tablist]");
  if (!button || !list) return;
  const buttons = [...list.querySelectorAll<HTMLElement>("[role=tab]")];
  const at = buttons.indexOf(button);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
  if (event.key === "Delete") {
    button.parentElement?.querySelector<HTMLElement>(".graphiql-tab-close")?.click();
    requestAnimationFrame(() => list.querySelector<HTMLElement>("[role=tab][aria-selected=true]")?.focus());
  } else if (to !== undefined) {
    const next = buttons.at(to % buttons.length);
    next?.focus();
    next?.click();
  } else return;
  event.preventDefault();
}
