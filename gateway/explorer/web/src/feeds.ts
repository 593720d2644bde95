import type { ExecutionResult } from "graphql";
import { create } from "zustand";
import { EMPTY, only, useAnswers, type Blank } from "./answers";
import { isObject, type Json, type JsonObject } from "./json";
import type { Settings } from "./settings";
import { subscribe, useTransport } from "./subscriptions";
import { UNREACHABLE } from "./wire";

/**
 * Subscriptions that go on whatever tab is in front. GraphiQL knows one at a time, and would stop it:
 * it only ever holds a look at the one of the tab in front, which is given up when the tab changes.
 */

type Result = ExecutionResult<Record<string, unknown>, Record<string, unknown>>;

/** What the page shows of a subscription. */
export interface FeedFacts {
  name: string;
  count: number;
  /** How it ended; null while it goes on. */
  ended: string | null;
  failed: boolean;
}

/** By id of the tab; those that ended stay until their tab has been looked at. */
export const useFeeds = create<{ byTab: Record<string, FeedFacts> }>(() => ({ byTab: {} }));

/** A browser has six connections for one host over HTTP/1.1, and other operations need some, too. */
const MOST = 4;
/** Events that are kept of one subscription. */
const MOST_EVENTS = 1000;
export const TOO_MANY = `Request not sent: ${MOST} subscriptions go on already.`;

const running = new Map<string, Feed>();
let attaching: Feed | null = null;
let attachments = 0;
let front = "";

/** Follow a subscription: from here on it is the tab's, in place of one before. */
export async function follow(
  settings: Settings,
  tab: string,
  blank: Blank,
): Promise<AsyncIterableIterator<Result>> {
  running.get(tab)?.stop();
  const feed = new Feed(tab, blank);
  if (running.size >= MOST) {
    feed.refuse(TOO_MANY);
    return feed.look();
  }
  running.set(tab, feed);
  const { operation, headers } = blank.shown;
  const { transport } = useTransport.getState();
  void feed.read(subscribe(settings.subscriptionsPath, operation, headers, transport));
  return feed.look();
}

/** For the fetcher: the look that GraphiQL is to have at a subscription which goes on already. */
export function feedToAttach(): AsyncIterableIterator<Result> | null {
  return attaching?.look() ?? null;
}

/** How often GraphiQL was let `run` so: it drops the answer of whatever it ran before. */
export function attachmentsSoFar(): number {
  return attachments;
}

/** Whether the tab's subscription goes on. */
export function isFollowed(tab: string): boolean {
  return running.has(tab);
}

/** The tab comes to the front: let GraphiQL `run` what goes on there, if that is what its editors hold. */
export function attach(tab: string, query: string, run: () => void): void {
  front = tab;
  useFeeds.setState(({ byTab }) => {
    const { [tab]: known, ...others } = byTab;
    return known?.ended ? { byTab: others } : {};
  });
  const feed = running.get(tab);
  if (feed?.query !== query) return;
  attaching = feed;
  attachments += 1;
  run();
  attaching = null;
}

export function stop(tab: string): void {
  running.get(tab)?.stop();
}

/** Subscriptions of tabs that are closed have nobody who could look at them. */
export function keepOnly(tabs: ReadonlySet<string>): void {
  for (const [tab, feed] of running) if (!tabs.has(tab)) feed.stop();
  useFeeds.setState(({ byTab }) => ({ byTab: only(byTab, tabs) }));
}

class Feed {
  private readonly started = performance.now();
  private readonly events: JsonObject[] = [];
  private eventCount = 0;
  private latest: JsonObject | null = null;
  private source: AsyncIterableIterator<JsonObject> | null = null;
  private ended: string | null = null;
  /** Whoever waits for the next result. */
  private waiting: ((result: IteratorResult<Result>) => void) | null = null;
  private fresh = false;
  isLookedAt = false;

  constructor(
    private readonly tab: string,
    private readonly blank: Blank,
  ) {
    this.note();
  }

  get query(): string {
    return this.blank.shown.operation.query;
  }

  /** Read to the end. Not a generator: one that waits for an event cannot be stopped. */
  async read(opened: Promise<AsyncIterableIterator<JsonObject>>): Promise<void> {
    try {
      this.source = await opened;
      while (!this.ended) {
        const { done, value } = await this.source.next();
        if (this.ended) return;
        if (done) return this.end("ended by the gateway");
        this.take(value);
      }
      await this.source.return?.();
    } catch (fault) {
      const errors = await explainFault(fault);
      if (this.ended) return;
      this.take({ errors });
      this.end("stopped by an error");
    }
  }

  refuse(message: string): void {
    this.take({ errors: [{ message }] });
    this.end("not begun");
  }

  stop(): void {
    if (this.ended) return;
    this.end("stopped");
    // GraphiQL waits no more: what it waited for would end the run that follows.
    this.waiting = null;
    void this.source?.return?.();
  }

  /** What GraphiQL iterates over while the tab is in front: the last result, and then each as it comes. */
  look(): AsyncIterableIterator<Result> {
    this.isLookedAt = true;
    this.fresh = this.latest !== null;
    const iterator: AsyncIterableIterator<Result> = {
      [Symbol.asyncIterator]: () => iterator,
      next: () =>
        new Promise((resolve) => {
          this.waiting = resolve;
          this.hand();
        }),
      return: () => {
        this.isLookedAt = false;
        this.waiting = null;
        // GraphiQL gives it up when the tab changes, too, and that is known only afterwards.
        setTimeout(() => this.tab === front && !this.isLookedAt && this.stop());
        return Promise.resolve({ done: true, value: undefined });
      },
    };
    return iterator;
  }

  private take(result: JsonObject): void {
    if (isObject(result.data)) {
      this.events.push(result.data);
      if (this.events.length > MOST_EVENTS) this.events.shift();
      this.eventCount += 1;
    }
    this.latest = result;
    this.fresh = true;
    this.note();
    this.hand();
  }

  private end(how: string): void {
    this.ended = how;
    if (running.get(this.tab) === this) running.delete(this.tab);
    this.note();
    this.hand();
  }

  private hand(): void {
    const { waiting, latest } = this;
    if (!waiting || !(this.fresh || this.ended)) return;
    this.waiting = null;
    if (this.fresh && latest) waiting({ done: false, value: latest as unknown as Result });
    else waiting({ done: true, value: undefined });
    this.fresh = false;
  }

  private note(): void {
    const { tab, blank, events, eventCount, ended, latest } = this;
    const errors = Array.isArray(latest?.errors) ? latest.errors : [];
    const [name] = Object.keys(events[0] ?? {});
    // Events make a list of their own.
    const data = name ? { [name]: events.map((event) => event[name] ?? null) } : null;
    useAnswers.getState().record(tab, {
      ...EMPTY,
      ...blank,
      hasErrors: errors.length > 0,
      errors,
      durationMs: performance.now() - this.started,
      body: latest,
      events: [...events],
      eventCount,
      ended,
      shown: { ...blank.shown, data },
      late: this.isLookedAt ? undefined : (latest ?? undefined),
    });
    const facts: FeedFacts = {
      name: blank.operationName ?? "Subscription",
      count: eventCount,
      ended,
      failed: errors.length > 0,
    };
    useFeeds.setState(({ byTab }) => ({ byTab: { ...byTab, [tab]: facts } }));
  }
}

/** Why a subscription ended, as GraphQL errors: no connection, a refused socket, or what the gateway said. */
async function explainFault(fault: unknown): Promise<Json[]> {
  if (Array.isArray(fault)) return fault as Json[];
  if (fault instanceof CloseEvent)
    return [{ message: fault.reason || UNREACHABLE, ...(fault.reason ? { code: fault.code } : {}) }];
  const response = fault instanceof Error && "response" in fault ? fault.response : null;
  if (!(response instanceof Response)) return [{ message: UNREACHABLE }];
  const body = await response.json().catch(() => null);
  if (isObject(body) && Array.isArray(body.errors)) return body.errors;
  return [{ message: `The gateway answered ${response.status}.` }];
}
