import { pick, useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useFeeds } from "./feeds";
import { count } from "./results/format";

/** Subscriptions of tabs that are not in front: how far they are, or that they stopped; each leads there. */
export function FeedPills() {
  const { tabs, activeTabIndex } = useGraphiQL(pick("tabs", "activeTabIndex"));
  const { changeTab } = useGraphiQLActions();
  const byTab = useFeeds((state) => state.byTab);
  return (
    <div className="feeds" role="status" aria-label="Subscriptions">
      {tabs.map(({ id }, index) => {
        const feed = byTab[id];
        if (!feed || index === activeTabIndex) return null;
        return (
          <button
            key={id}
            type="button"
            className={`feed${feed.ended ? " is-over" : ""}${feed.failed ? " is-error" : ""}`}
            title={`${feed.name}: go to its tab`}
            onClick={() => changeTab(index)}
          >
            <span className="feed-dot" aria-hidden="true" />
            <span className="feed-name">{feed.name}</span>
            <b>{feed.ended ?? count(feed.count, "event")}</b>
          </button>
        );
      })}
    </div>
  );
}
