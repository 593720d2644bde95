import { useCallback, useEffect, useRef, useState } from "react";
import { useAnswers } from "./answers";
import { touch } from "./touched";
import { useClosing } from "./use-closing";
import { useNewest } from "./use-newest";

const PATH = "/explorer/sandbox";

/** What can be asked of the sandbox, and what it is good for. */
const TROUBLES = {
  lose: {
    label: "Lose the next answer to a write",
    hint: "It is carried out, but nobody hears of it: see what the gateway makes of a purchase whose outcome is not known.",
  },
  refuse: {
    label: "Refuse the next call with 429",
    hint: "Reads are tried again after a second; the upstream panel shows it.",
  },
  slow: { label: "Answer each call a second late", hint: "Until you calm it: see what waits for what." },
} as const;

type Trouble = keyof typeof TROUBLES;
type Wish = { trouble: Trouble } | { calm: true } | { reset: true };

/** Troubles that are still to come, or why that is not known. */
async function tell(wish: Wish | null): Promise<{ troubles: Trouble[]; fault: string | null }> {
  try {
    const answer = await fetch(PATH, wish ? { method: "POST", ...asJson(wish) } : {});
    const body = (await answer.json()) as { troubles?: Trouble[]; error?: string };
    if (body.troubles) return { troubles: body.troubles, fault: null };
    return { troubles: [], fault: body.error ?? `The gateway answered ${answer.status}.` };
  } catch {
    return { troubles: [], fault: "The gateway does not answer." };
  }
}

function asJson(wish: Wish): RequestInit {
  return { headers: { "content-type": "application/json" }, body: JSON.stringify(wish) };
}

/** A menu at the word Sandbox: make trouble, to see what becomes of it, or begin anew. */
export function SandboxMenu() {
  const [troubles, setTroubles] = useState<Trouble[]>([]);
  const [fault, setFault] = useState<string | null>(null);
  const [said, setSaid] = useState("");
  const [sure, setSure] = useState(false);
  const details = useRef<HTMLDetailsElement>(null);
  const answers = useAnswers((state) => state.byTab);
  const begin = useNewest();

  const ask = useCallback(
    async (wish: Wish | null) => {
      const isNewest = begin();
      const told = await tell(wish);
      // An earlier question may be answered later: with what was true before.
      if (isNewest()) {
        setTroubles(told.troubles);
        setFault(told.fault);
      }
      return told.fault === null;
    },
    [begin],
  );

  // What was to come may have happened to the operation that was just answered.
  const pending = troubles.length > 0;
  useEffect(() => {
    if (pending) void ask(null);
  }, [answers, ask, pending]);
  useClosing(details);

  const make = async (name: Trouble) => {
    if (await ask({ trouble: name })) setSaid("");
  };
  const calm = async () => {
    if (await ask({ calm: true })) setSaid("It behaves again.");
  };
  const reset = async () => {
    setSure(false);
    setSaid("Making all numbers anew…");
    if (!(await ask({ reset: true }))) return setSaid("");
    // What is shown may be of numbers that are nobody's any more.
    touch(null);
    useAnswers.setState({ byTab: {} });
    setSaid("It is as it was at the start.");
  };

  return (
    <details
      ref={details}
      className="sandbox-menu"
      onToggle={({ currentTarget }) => {
        setSure(false);
        setSaid("");
        if (currentTarget.open) void ask(null);
      }}
    >
      <summary className={pending ? "chip is-link is-unknown" : "chip is-link"}>
        Sandbox{pending && " · trouble"}
      </summary>
      <div className="sandbox-wishes">
        <p>The upstream is made up: nothing costs anything. Make trouble, and see what becomes of it.</p>
        <ul>
          {Object.entries(TROUBLES).map(([name, { label, hint }]) => {
            const isToCome = troubles.includes(name as Trouble);
            return (
              <li key={name}>
                <button type="button" aria-pressed={isToCome} onClick={() => void make(name as Trouble)}>
                  {label}
                  {isToCome && <em>{name === "slow" ? "on" : "to come"}</em>}
                </button>
                <small>{hint}</small>
              </li>
            );
          })}
        </ul>
        <div className="sandbox-ends">
          <button type="button" disabled={!pending} onClick={() => void calm()}>
            Calm it
          </button>
          {sure ? (
            <button type="button" className="is-danger" onClick={() => void reset()}>
              Yes, forget all that happened
            </button>
          ) : (
            <button type="button" onClick={() => setSure(true)}>
              Begin anew…
            </button>
          )}
        </div>
        <p role="status" className={fault ? "is-fault" : undefined}>
          {fault ?? said}
        </p>
      </div>
    </details>
  );
}
