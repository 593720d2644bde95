/** Titles of our own plugins: GraphiQL knows a plugin by its title. */
export const UPSTREAM_TITLE = "Upstream";
export const EXAMPLES_TITLE = "Examples";

/**
 * Open a plugin as its sidebar button does. GraphiQL's `setVisiblePlugin` alone leaves the pane
 * collapsed when it was, because the pane's size is private to its layout.
 */
export function openPanel(title: string): void {
  document.querySelector<HTMLButtonElement>(`.graphiql-sidebar button[aria-label="Show ${title}"]`)?.click();
}

export function closePanel(title: string): void {
  document.querySelector<HTMLButtonElement>(`.graphiql-sidebar button[aria-label="Hide ${title}"]`)?.click();
}
