import { spaced } from "./format";
import { formatShortcutForOS, useGraphiQL } from "@graphiql/react";
import { lazy, Suspense, useMemo } from "react";
import { create } from "zustand";
import { persist } from "zustand/middleware";
import type { Shown } from "../answers";
import { accountOf, asker, FIRST_CREDENTIALS, isLocked, readHeaders } from "../credentials";
import { ErrorCards } from "../errors/cards";
import { useProblems } from "../errors/use-problems";
import { useAnswerOf, useFrontTab } from "../front-tab";
import { Guard } from "../guard";
import { isObject, type Json } from "../json";
import { Mark } from "../mark";
import type { Settings } from "../settings";
import { ownedIn, type Owned } from "../touched";
import { AfterPurchase } from "./after-purchase";
import { DeedDialog, labelFor, type RowAction } from "./deed";
import { begin, canDo, deedOf, lookUp, showBought, useDeeds, type Ask, type Verb } from "./deeds";
import { loadMore, pagesOf, type Page } from "./pages";
import { collectRows, holdsEmptyList, originLookup, type Row, type RowSet } from "./rows";
import { RunDialog } from "./run-dialog";
import { Status } from "./status";
import { useTableStates } from "./table-state";
import { Tidings } from "./tidings";
import { useAreaSearch, type AreaSearch } from "./use-area-search";

const Table = lazy(() => import("./table"));
const PlaceMap = lazy(() => import("./map"));

/** Ways to look at an answer; errors come first until somebody looks past them. */
type View = "json" | "table" | "map";

/** Of a change, which is never run again for the sake of more rows. */
const NO_PAGES = new Map<string, Page>();
const NO_ROWS: Row[] = [];

interface Preference {
  view: View;
  look(view: View): void;
}

const useView = create<Preference>()(
  persist((set) => ({ view: "json", look: (view) => set({ view }) }), { name: "number-gateway:view" }),
);

interface Props {
  settings: Settings;
  ask: Ask;
}

/** The strip above the response, and the table or map that can stand in for the JSON. */
export function Results({ settings, ask }: Props) {
  const sandbox = settings.sandbox !== null;
  const schema = useGraphiQL((state) => state.schema);
  const tab = useFrontTab();
  const locked = isLocked(settings, tab?.headers ?? "");
  const answer = useAnswerOf(tab);
  const shown = answer?.shown;
  const deed = useDeeds(({ all, open }) => (open === null ? undefined : all[open]));
  const bought =
    deed?.verb === "Buy" && (deed.stage.is === "done" || deed.stage.is === "owned") ? deed.stage.sid : null;
  const made = useMemo(() => boughtIn(shown?.data), [shown]);
  const pages = useMemo(
    () => (answer?.kind === "query" ? pagesOf(shown?.data ?? null) : NO_PAGES),
    [answer?.kind, shown],
  );
  const { view, look } = useView();
  const path = useTableStates((state) => (tab && state.lists[tab.id]) ?? "");
  const setPath = (chosen: string) => tab && useTableStates.getState().choose(tab.id, chosen);

  const sets = useMemo(
    () => (shown ? collectRows(shown.data, originLookup(schema, shown.operation)) : []),
    [shown, schema],
  );
  const mappable = sets.filter((set) => set.rows.some((row) => row.place));
  const chosen = (among: RowSet[]) => among.find((each) => each.path === path) ?? among[0];
  const offered = view === "map" ? mappable : sets;
  const nothing = useMemo(() => sets.length === 0 && holdsEmptyList(shown?.data ?? null), [sets, shown]);
  const wanted: View = offered.length > 0 || nothing ? view : "json";
  const { problems, past, look: lookAtErrors } = useProblems(answer, tab);
  const seen = problems.length > 0 && !past ? "errors" : wanted;
  const onLook = (next: View) => {
    lookAtErrors(false);
    look(next);
  };
  const set = chosen(offered);
  const search = useAreaSearch();
  // Headers that are being typed name nobody yet.
  const headers = readHeaders(tab?.headers ?? "");
  const kept = shown?.keptOf !== undefined;
  const foreign = shown && headers && (kept || asker(headers) !== asker(shown.headers));
  const askedFor = shown && (shown.keptOf ?? accountOf(shown.headers));

  return (
    <div className="results" data-view={seen}>
      <div className="results-bar">
        <div className="segmented" role="radiogroup" aria-label="Show the result as">
          {problems.length > 0 && (
            <label className="is-error">
              <input
                type="radio"
                name="result-view"
                checked={seen === "errors"}
                onChange={() => lookAtErrors(true)}
              />
              <span>
                Errors<small>{problems.length}</small>
              </span>
            </label>
          )}
          <Choice view="json" label="JSON" shown={seen} onLook={onLook} />
          <Choice
            view="table"
            label="Table"
            shown={seen}
            onLook={onLook}
            amount={chosen(sets)?.rows.length ?? 0}
            empty={nothing}
          />
          <Choice
            view="map"
            label="Map"
            shown={seen}
            onLook={onLook}
            amount={chosen(mappable)?.rows.filter((row) => row.place).length ?? 0}
            empty={nothing}
          />
        </div>
        {(seen === "table" || seen === "map") && offered.length > 1 && (
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
        {shown && made && (
          <button type="button" className="chip is-link" onClick={() => showBought(made, shown)}>
            What next
          </button>
        )}
        <Status ask={ask} />
      </div>
      {foreign && (
        <p className="results-foreign" role="note">
          {kept && !askedFor ? (
            "This answer was asked for before the page was reloaded"
          ) : (
            <>
              This answer is for {askedFor ? <code>{askedFor}</code> : "somebody else"}, asked with other
              credentials than are chosen now
            </>
          )}
          : run the operation again to act on its rows.
        </p>
      )}
      {(seen === "table" || seen === "map") && set && shown && (
        <div
          className={`results-view${foreign ? " is-foreign" : ""}${answer?.outdated ? " is-outdated" : ""}`}
        >
          <Guard of={set}>
            <Suspense fallback={<p className="view-note">Loading…</p>}>
              <SetView
                key={set.path}
                view={seen}
                set={set}
                page={pages.get(set.path)}
                shown={shown}
                name={`${tab?.id} ${set.path}`}
                foreign={foreign === true || answer?.outdated === true}
                search={search}
                ask={ask}
              />
            </Suspense>
          </Guard>
        </div>
      )}
      {seen === "map" && !set && search && (
        <div className="results-view">
          <Suspense fallback={<p className="view-note">Loading…</p>}>
            <PlaceMap rows={NO_ROWS} action={null} search={search} />
          </Suspense>
        </div>
      )}
      {(seen === "table" || (seen === "map" && !search)) && !set && (
        <p className="results-view view-note">No rows.</p>
      )}
      {seen === "errors" && (
        <ErrorCards
          problems={problems}
          requestId={answer?.requestId ?? null}
          onShowJson={() => onLook("json")}
        />
      )}
      {seen === "json" && !tab?.response && <Blank locked={locked} />}
      {deed ? (
        <DeedDialog
          key={deed.key}
          deed={deed}
          sandbox={sandbox}
          ask={ask}
          next={bought && <AfterPurchase deed={deed} sid={bought} ask={ask} onShow={() => look("table")} />}
        >
          <Tidings ask={ask} />
        </DeedDialog>
      ) : (
        <Tidings ask={ask} />
      )}
      <RunDialog ask={ask} />
    </div>
  );
}

/** The number that a run has bought; for one that was refused there is nothing to go on with. */
function boughtIn(data: Json | undefined): Owned | null {
  const payload = isObject(data) ? data.purchasePhoneNumber : null;
  if (!isObject(payload) || (Array.isArray(payload.userErrors) && payload.userErrors.length > 0)) return null;
  return ownedIn(payload);
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
  /** How the list goes on, if it does. */
  page: Page | undefined;
  shown: Shown;
  /** What names its table among those that are remembered. */
  name: string;
  /** Whether the rows are those of another account than the one that is chosen by now. */
  foreign: boolean;
  search: AreaSearch | null;
  ask: Ask;
}

function SetView({ view, set, page, shown, name, foreign, search, ask }: SetProps) {
  const all = useDeeds((state) => state.all);
  const verb = foreign ? null : verbFor(set);
  const action: RowAction | null = verb && {
    offer(row) {
      if (!canDo(verb, row)) return null;
      const stage = deedOf(all, verb, row, shown)?.stage;
      const over = stage && ["running", "looking", "done", "owned"].includes(stage.is);
      const take = () => {
        const deed = begin(verb, row, shown);
        if (deed?.stage.is === "unknown") void lookUp(deed, ask);
      };
      return {
        label: labelFor(verb, stage),
        of: spaced(row.phoneNumber ?? ""),
        take: over ? null : take,
        danger: verb === "Release" && stage === undefined,
      };
    },
  };
  if (view === "map") return <PlaceMap rows={set.rows} action={action} search={search} />;
  const more = page && !foreign ? { load: () => loadMore(shown, page, ask) } : null;
  return <Table key={name} name={name} set={set} action={action} more={more} />;
}

/** The verb that fits rows of a GraphQL type. */
function verbFor({ typeName, rows }: RowSet): Verb | null {
  const verb = ({ AvailablePhoneNumber: "Buy", PhoneNumber: "Release" } as const)[typeName ?? ""] ?? null;
  return verb && rows.some((row) => canDo(verb, row)) ? verb : null;
}

interface ChoiceProps {
  view: View;
  label: string;
  shown: View | "errors";
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
