import { useAnswers, type Answer } from "./answers";
import { accountOf, authorizationOf, type Headers } from "./credentials";
import { isObject } from "./json";

/**
 * Answers survive a reload in this window of the browser, in its session storage, within bounds.
 * Credentials do not: of who asked, only the account is kept.
 */

const NAME = "number-gateway:answers";
/** Characters of one answer and of all: browsers allow some five million. */
const MOST_OF_ONE = 600_000;
const MOST_OF_ALL = 1_500_000;
/** Milliseconds without a change after which answers are written. */
const STILL = 400;

/** Begin to keep answers, with those that were kept before. */
export function keepAnswers(): void {
  useAnswers.getState().restore(read());
  let timer: ReturnType<typeof setTimeout> | undefined;
  const write = () => {
    clearTimeout(timer);
    timer = undefined;
    store(useAnswers.getState().byTab);
  };
  useAnswers.subscribe(({ byTab }, before) => {
    if (byTab === before.byTab) return;
    clearTimeout(timer);
    timer = setTimeout(write, STILL);
  });
  addEventListener("pagehide", () => timer !== undefined && write());
}

function read(): Record<string, Answer> {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(NAME) ?? "{}");
    if (!isObject(kept)) return {};
    const answers = Object.entries(kept) as unknown as [string, Answer][];
    return Object.fromEntries(answers.map(([tab, answer]) => [tab, revived(answer)]));
  } catch {
    // Written by another version of the page: an answer less.
    return {};
  }
}

function revived(answer: Answer): Answer {
  const ended = answer.kind === "subscription" ? (answer.ended ?? "stopped by a reload") : null;
  return { ...answer, ended, late: answer.body ?? undefined };
}

function store(byTab: Record<string, Answer>): void {
  // The youngest first: it is the oldest that finds no room.
  const answers = Object.entries(byTab).toSorted(([, one], [, other]) => other.shown.run - one.shown.run);
  const texts: string[] = [];
  let room = MOST_OF_ALL;
  for (const [tab, answer] of answers) {
    const text = withoutPasswords(JSON.stringify(withoutCredentials(answer)));
    if (text.length > MOST_OF_ONE || text.length > room) continue;
    room -= text.length;
    texts.push(`${JSON.stringify(tab)}:${text}`);
  }
  try {
    sessionStorage.setItem(NAME, `{${texts.join(",")}}`);
  } catch {
    sessionStorage.removeItem(NAME);
  }
}

function withoutCredentials({ late: _, outdated: __, ...answer }: Answer) {
  const { headers, keptOf, ...shown } = answer.shown;
  const account = keptOf === undefined ? whose(headers) : keptOf;
  return { ...answer, shown: { ...shown, headers: {}, keptOf: account } };
}

/** What is kept of who asked: the account, where it is known; "" where no credentials were needed. */
export function whose(headers: Headers): string | null {
  return authorizationOf(headers) ? accountOf(headers) : "";
}

/** A webhook's URL may hold a password: `https://user:password@…`. */
function withoutPasswords(text: string): string {
  return text.replace(/(https?:\/\/)[^\s"\\/@]+@/g, "$1");
}
