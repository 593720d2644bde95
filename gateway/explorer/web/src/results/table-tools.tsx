import { useState } from "react";
import { HAS_CLIPBOARD, useCopying } from "./copyable";
import { csvOf, jsonOf, save } from "./files";
import { count } from "./format";
import type { Row } from "./rows";

/** How a list that has a next page goes on. */
export interface More {
  /** Returns why nothing came, or null. */
  load(): Promise<string | null>;
}

interface Props {
  /** Of the list, as in the answer. */
  name: string;
  /** Those that are shown, in their order. */
  rows: Row[];
  /** How many there are without the filter. */
  all: number;
  columns: string[];
  filter: string;
  onFilter(text: string): void;
  /** Null when all are here, or the answer does not tell. */
  more: More | null;
}

/** Above the table: which rows are shown, how to get more, and how to take them along. */
export function TableTools({ name, rows, all, columns, filter, onFilter, more }: Props) {
  const shown =
    rows.length === all ? count(all, "row") : `${rows.length.toLocaleString("en")} of ${count(all, "row")}`;
  return (
    <div className="table-tools">
      <input
        type="search"
        aria-label="Filter rows"
        placeholder="Filter rows"
        value={filter}
        onChange={(event) => onFilter(event.target.value)}
      />
      <output>{more ? `${shown}, more exist` : shown}</output>
      {more && <LoadMore key={all} more={more} />}
      <span className="table-take">
        {HAS_CLIPBOARD && <CopyRows rows={rows} columns={columns} />}
        <button
          type="button"
          className="quiet"
          aria-label="Save as CSV"
          title="Save the rows that are shown as CSV"
          onClick={() => save(csvOf(rows, columns), `${name}.csv`, "text/csv")}
        >
          <Down />
          CSV
        </button>
        <button
          type="button"
          className="quiet"
          aria-label="Save as JSON"
          title="Save the rows that are shown as JSON"
          onClick={() => save(jsonOf(rows), `${name}.json`, "application/json")}
        >
          <Down />
          JSON
        </button>
      </span>
    </div>
  );
}

function LoadMore({ more }: { more: More }) {
  const [state, setState] = useState<"idle" | "loading" | { failed: string }>("idle");
  const load = async () => {
    setState("loading");
    const failure = await more.load();
    setState(failure === null ? "idle" : { failed: failure });
  };
  return (
    <>
      <button type="button" className="small" disabled={state === "loading"} onClick={() => void load()}>
        {state === "loading" ? "Loading…" : "Load more"}
      </button>
      {typeof state === "object" && (
        <span className="table-failed" role="alert">
          {state.failed}
        </span>
      )}
    </>
  );
}

function CopyRows({ rows, columns }: { rows: Row[]; columns: string[] }) {
  const { copied, copy } = useCopying();
  return (
    <button
      type="button"
      className="quiet"
      title="Copy the rows that are shown as CSV"
      onClick={() => void copy(csvOf(rows, columns))}
    >
      {copied ? "Copied" : "Copy"}
    </button>
  );
}

function Down() {
  return (
    <svg viewBox="0 0 12 12" aria-hidden="true">
      <path d="M6 1.5V8M3 5.5 6 8.5l3-3M2 10.8h8" />
    </svg>
  );
}
