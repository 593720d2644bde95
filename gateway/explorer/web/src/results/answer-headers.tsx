import { useRef, useState } from "react";
import { createPortal } from "react-dom";
import type { Answer } from "../answers";
import { readHeaders } from "../credentials";
import { useFrontTab } from "../front-tab";
import { isObject, type Json } from "../json";
import { useNewest } from "../use-newest";
import { HAS_CLIPBOARD, useCopying } from "./copyable";
import type { Ask } from "./deeds";
import { count } from "./format";

const LIMITS =
  "query Limits { rateLimit { requests { limit remaining windowSeconds } purchases { limit remaining windowSeconds } } }";

/** The headers that came with an answer, and what is left of the caller's limits by now. */
export function AnswerHeaders({ answer, ask }: { answer: Answer; ask: Ask }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [limits, setLimits] = useState<string[] | null>(null);
  const typed = useFrontTab()?.headers;
  const begin = useNewest();
  const { copied, copy } = useCopying();
  const lines = Object.entries(answer.headers).toSorted(([one], [other]) => one.localeCompare(other));

  const open = async () => {
    const isNewest = begin();
    dialog.current?.showModal();
    setLimits(null);
    const { body } = await ask({ query: LIMITS }, readHeaders(typed ?? "") ?? {});
    // It may have been closed, and opened by somebody else.
    if (isNewest()) setLimits(limitsIn(body.data));
  };

  return (
    <>
      <button type="button" className="chip is-link" aria-haspopup="dialog" onClick={() => void open()}>
        Headers
      </button>
      {createPortal(
        <dialog ref={dialog} className="deed answer-headers" aria-labelledby="answer-headers-title">
          <h2 id="answer-headers-title">Headers of the answer</h2>
          <dl>
            {lines.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
          <h3>What is left of your limits</h3>
          <ul role="status">
            {(limits ?? ["Asking…"]).map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
          <form method="dialog" className="deed-buttons">
            {HAS_CLIPBOARD && (
              <button
                type="button"
                onClick={() => void copy(lines.map(([name, value]) => `${name}: ${value}`).join("\n"))}
              >
                {copied ? "Copied" : "Copy"}
              </button>
            )}
            <button type="submit">Close</button>
          </form>
        </dialog>,
        document.body,
      )}
    </>
  );
}

function limitsIn(data: Json | undefined): string[] {
  const limits = isObject(data) && isObject(data.rateLimit) ? data.rateLimit : null;
  if (!limits) return ["The gateway does not tell."];
  return [inWords("request", limits.requests), inWords("purchase", limits.purchases)];
}

function inWords(what: string, allowance: Json | undefined): string {
  if (!isObject(allowance)) return `Any number of ${what}s: they are not limited here.`;
  const { limit, remaining, windowSeconds } = allowance;
  const window =
    windowSeconds === 60 ? "a minute" : windowSeconds === 86_400 ? "a day" : `${windowSeconds} s`;
  return `${count(Number(remaining), what)} of ${limit} in ${window}.`;
}
