import { formatShortcutForOS, pick, useGraphiQL } from "@graphiql/react";
import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { create } from "zustand";
import { persist } from "zustand/middleware";
import { useAnswers } from "../answers";
import { FIRST_CREDENTIALS, isLocked } from "../credentials";
import { Guard } from "../guard";
import type { Json, JsonObject } from "../json";
import { Mark } from "../mark";
import type { Settings } from "../settings";
import type { Exchange, Operation } from "../wire";
import { deedFor, DeedDialog, verbFor, type Deed } from "./deed";
import { collectRows, holdsEmptyList, typeLookup, type Row, type RowSet } from "./rows";
import { Status } from "./status";

const Table = lazy(() => import("./table"));
const PlaceMap = lazy(() => import("./map"));

type View = "json" | "table" | "map";

interface Preference {
  view: View;
  look(view: View): void;
}

const useView = create<Preference>()(
  persist((set) => ({ view: "json", look: (view) => set({ view }) }), { name: "number-gateway:view" }),
);

interface Props {
  settings: Settings;
  run(operation: Operation): Promise<Exchange>;
}

/** The strip above the response, and the table or map that can stand in for the JSON. */
export function Results({ settings, run }: Props) {
  const sandbox = settings.sandbox !== null;
  const { tabs, activeTabIndex, schema } = useGraphiQL(pick("tabs", "activeTabIndex", "schema"));
  const { documentAST, operationName } = useGraphiQL(pick("documentAST", "operationName"));
  const tab = tabs[activeTabIndex];
  const locked = isLocked(settings, tab?.headers ?? "");
  const events = useAnswers((state) => (tab ? state.byTab[tab.id]?.events : undefined));
  const { view, look } = useView();
  const [path, setPath] = useState("");
  const [deed, setDeed] = useState<Deed | null>(null);
  const [done, setDone] = useState<ReadonlySet<string>>(new Set());

  // A number that was bought may be released later: marks hold for the answer that they were made on.
  useEffect(() => setDone(new Set()), [tab?.response]);

  const data = useMemo(() => dataOf(tab?.response, events), [tab?.response, events]);
  const sets = useMemo(
    () => collectRows(data, typeLookup(schema, documentAST, operationName)),
    [data, schema, documentAST, operationName],
  );
  const mappable = sets.filter((set) => set.rows.some((row) => row.place));
  const offered = view === "map" ? mappable : sets;
  const nothing = useMemo(() => sets.length === 0 && holdsEmptyList(data), [sets, data]);
  const shown: View = offered.length > 0 || nothing ? view : "json";
  const set = offered.find((candidate) => candidate.path === path) ?? offered[0];

  return (
    <div className="results" data-view={shown}>
      <div className="results-bar">
        <div className="segmented" role="radiogroup" aria-label="Show the result as">
          <Choice view="json" label="JSON" shown={shown} onLook={look} />
          <Choice
            view="table"
            label="Table"
            shown={shown}
            onLook={look}
            amount={total(sets)}
            empty={nothing}
          />
          <Choice
            view="map"
            label="Map"
            shown={shown}
            onLook={look}
            amount={placed(mappable)}
            empty={nothing}
          />
        </div>
        {shown !== "json" && offered.length > 1 && (
          <select
            aria-label="List to show"
            value={set?.path}
            onChange={(event) => setPath(event.target.value)}
          >
            {offered.map((candidate) => (
              <option key={candidate.path} value={candidate.path}>
                {candidate.path} ({candidate.rows.length})
              </option>
            ))}
          </select>
        )}
        <Status />
      </div>
      {shown !== "json" && set && (
        <div className="results-view">
          <Guard of={set}>
            <Suspense fallback={<p className="view-note">Loading…</p>}>
              <SetView key={set.path} view={shown} set={set} sandbox={sandbox} done={done} onDeed={setDeed} />
            </Suspense>
          </Guard>
        </div>
      )}
      {shown !== "json" && !set && <p className="results-view view-note">No rows.</p>}
      {shown === "json" && !tab?.response && <Blank locked={locked} />}
      {deed && (
        <DeedDialog
          deed={deed}
          run={run}
          onDone={() => setDone((old) => new Set(old).add(deed.phoneNumber))}
          onClose={() => setDeed(null)}
        />
      )}
    </div>
  );
}

/** Before the first run, the pane says what to do instead of nothing. */
function Blank({ locked }: { locked: boolean }) {
  return (
    <div className={locked ? "results-blank is-locked" : "results-blank"} aria-hidden={!locked}>
      <Mark />
      {locked ? (
        <p>
          <b>{FIRST_CREDENTIALS}</b> They go in at the top right.
        </p>
      ) : (
        <p>
          Run the operation
          <span className="needs-keys">
            {" "}
            with <kbd>{formatShortcutForOS("Ctrl")}</kbd> <kbd>Enter</kbd>
          </span>
        </p>
      )}
    </div>
  );
}

interface SetProps {
  view: View;
  set: RowSet;
  sandbox: boolean;
  done: ReadonlySet<string>;
  onDeed(deed: Deed | null): void;
}

function SetView({ view, set, sandbox, done, onDeed }: SetProps) {
  const verb = verbFor(set.typeName, set.rows);
  const action = verb && {
    label: verb,
    doneLabel: { Buy: "Bought", Release: "Released" }[verb],
    done,
    run: (row: Row) => onDeed(deedFor(verb, row, sandbox)),
  };
  return view === "map" ? <PlaceMap set={set} action={action} /> : <Table set={set} action={action} />;
}

interface ChoiceProps {
  view: View;
  label: string;
  shown: View;
  amount?: number;
  /** Whether there is a list, with nothing in it: that can be looked at, too. */
  empty?: boolean;
  onLook(view: View): void;
}

function Choice({ view, label, shown, amount, empty = false, onLook }: ChoiceProps) {
  return (
    <label>
      <input
        type="radio"
        name="result-view"
        checked={shown === view}
        disabled={amount === 0 && !empty}
        onChange={() => onLook(view)}
      />
      <span>
        {label}
        {amount !== undefined && amount > 0 && <small>{amount.toLocaleString("en")}</small>}
      </span>
    </label>
  );
}

/** Events of a subscription make a list of their own; else it is what the response pane holds. */
function dataOf(response: string | null | undefined, events: JsonObject[] | undefined): Json {
  if (events && events.length > 0) {
    const [name] = Object.keys(events[0] ?? {});
    return name ? { [name]: events.map((event) => event[name] ?? null) } : null;
  }
  if (!response) return null;
  try {
    return (JSON.parse(response) as { data?: Json }).data ?? null;
  } catch {
    return null;
  }
}

function total(sets: RowSet[]): number {
  return Math.max(0, ...sets.map((set) => set.rows.length));
}

function placed(sets: RowSet[]): number {
  return Math.max(0, ...sets.map((set) => set.rows.filter((row) => row.place).length));
}
