import { useGraphiQL, type TabsState } from "@graphiql/react";
import { useAnswers, type Answer } from "./answers";

export type Tab = TabsState["tabs"][number];

/** The tab in front, with what its editors hold. */
export function useFrontTab(): Tab | undefined {
  return useGraphiQL(({ tabs, activeTabIndex }) => tabs[activeTabIndex]);
}

/** What is known of the last operation of a tab. */
export function useAnswerOf(tab: Tab | undefined): Answer | undefined {
  return useAnswers((state) => (tab ? state.byTab[tab.id] : undefined));
}
