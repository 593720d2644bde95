import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { HAS_CLIPBOARD, useCopying } from "./copyable";
import { ActionButton, type RowAction } from "./deed";
import { count, shortened, spaced } from "./format";
import { columnLabel, NUMBERS, type Cell, type Row, type RowSet } from "./rows";
import { AS_IT_CAME, useTableStates } from "./table-state";

const ROW_HEIGHT = 34;
/** Rows drawn beyond either edge, so that a fast scroll shows no gap. */
const OVERSCAN = 12;
const E164 = /^\+\d{6,15}$/;
const SID = /^[A-Z]{2}[0-9a-f]{32}$/i;

/** Milliseconds without scrolling after which the place is remembered. */
const STILL = 120;

interface Props {
  set: RowSet;
  /** What names the table among those that are remembered. */
  name: string;
  /** What can be done with a row; null when nothing can. */
  action: RowAction | null;
}

/** A grid that draws only the rows in sight, sorts, filters, and is driven by the keyboard alone if need be. */
export default function Table({ set, name, action }: Props) {
  const { filter, sort, active } = useTableStates(({ tables }) => tables[name] ?? AS_IT_CAME);
  const change = useTableStates((state) => state.change);
  const [view, setView] = useState({ top: 0, height: 600 });
  const scroller = useRef<HTMLDivElement>(null);

  const widths = useMemo(() => measure(set), [set]);
  const rows = useMemo(() => arrange(set.rows, filter, sort), [set.rows, filter, sort]);
  const template = `${set.columns.map((column) => `${widths[column]}ch`).join(" ")}${action ? " minmax(11ch, 1fr)" : ""}`;
  const current = Math.min(active, rows.length - 1);

  useEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setView((old) => ({ ...old, height: element.clientHeight })));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  // It comes back as it was left, and remembers where it is once it stands still.
  useEffect(() => {
    const { top } = useTableStates.getState().tables[name] ?? AS_IT_CAME;
    if (scroller.current) scroller.current.scrollTop = top;
  }, [name]);
  useEffect(() => {
    if (view.top === (useTableStates.getState().tables[name] ?? AS_IT_CAME).top) return undefined;
    const timer = setTimeout(() => change(name, { top: view.top }), STILL);
    return () => clearTimeout(timer);
  }, [change, name, view.top]);

  const moveTo = (index: number) => {
    const target = Math.max(0, Math.min(rows.length - 1, index));
    change(name, { active: target });
    const element = scroller.current;
    if (!element) return;
    const top = target * ROW_HEIGHT;
    const room = element.clientHeight - 2 * ROW_HEIGHT;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top > element.scrollTop + room) element.scrollTop = top - room;
  };

  const onKeyDown = (event: KeyboardEvent) => {
    // Header buttons live inside the grid and keep their own Enter.
    if (event.target !== event.currentTarget) return;
    const page = Math.max(1, Math.floor(view.height / ROW_HEIGHT) - 2);
    const targets: Record<string, number> = {
      ArrowDown: current + 1,
      ArrowUp: current - 1,
      PageDown: current + page,
      PageUp: current - page,
      Home: 0,
      End: rows.length - 1,
    };
    const target = targets[event.key];
    const row = rows[current];
    if (target !== undefined) moveTo(target);
    else if (event.key === "Enter" && action && row) action.offer(row)?.take?.();
    else return;
    event.preventDefault();
  };

  const first = Math.max(0, Math.floor(view.top / ROW_HEIGHT) - OVERSCAN);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW_HEIGHT) + OVERSCAN);

  return (
    <div className="table">
      <div className="table-tools">
        <input
          type="search"
          aria-label="Filter rows"
          placeholder="Filter rows"
          value={filter}
          onChange={(event) => change(name, { filter: event.target.value })}
        />
        <output>
          {rows.length === set.rows.length
            ? count(rows.length, "row")
            : `${rows.length.toLocaleString("en")} of ${count(set.rows.length, "row")}`}
        </output>
        <CopyButton rows={rows} columns={set.columns} />
      </div>
      <div
        ref={scroller}
        className="table-scroller"
        role="grid"
        aria-label={set.path}
        aria-rowcount={rows.length + 1}
        aria-colcount={set.columns.length + (action ? 1 : 0)}
        aria-activedescendant={rows.length > 0 ? `row-${current}` : undefined}
        tabIndex={0}
        onKeyDown={onKeyDown}
        onScroll={(event) => setView((old) => ({ ...old, top: (event.target as HTMLElement).scrollTop }))}
      >
        <div
          className="table-row table-head"
          role="row"
          aria-rowindex={1}
          style={{ gridTemplateColumns: template }}
        >
          {set.columns.map((column) => (
            <HeaderCell
              key={column}
              column={column}
              label={columnLabel(column, set.columns)}
              direction={sort?.column === column ? (sort.descending ? "descending" : "ascending") : "none"}
              onSort={() =>
                change(name, { sort: { column, descending: sort?.column === column && !sort.descending } })
              }
            />
          ))}
          {action && <span role="columnheader" className="cell-action" aria-label="Action" />}
        </div>
        <div className="table-body" role="rowgroup" style={{ height: rows.length * ROW_HEIGHT }}>
          {rows.slice(first, last).map((row, offset) => {
            const index = first + offset;
            return (
              <div
                key={index}
                id={`row-${index}`}
                className="table-row"
                role="row"
                aria-rowindex={index + 2}
                aria-selected={index === current}
                style={{ gridTemplateColumns: template, transform: `translateY(${index * ROW_HEIGHT}px)` }}
                onClick={() => change(name, { active: index })}
              >
                {set.columns.map((column) => (
                  <CellView key={column} column={column} value={row.cells[column] ?? null} />
                ))}
                {action && (
                  <span role="gridcell" className="cell-action">
                    <ActionButton offer={action.offer(row)} tabIndex={-1} />
                  </span>
                )}
              </div>
            );
          })}
        </div>
        {rows.length === 0 && <p className="view-note">No row matches the filter.</p>}
      </div>
    </div>
  );
}

interface HeaderProps {
  column: string;
  label: string;
  direction: "none" | "ascending" | "descending";
  onSort(): void;
}

function HeaderCell({ column, label, direction, onSort }: HeaderProps) {
  return (
    <span role="columnheader" aria-sort={direction} className={placeOf(column)}>
      <button type="button" title={`Sort by ${column}`} onClick={onSort}>
        {label}
        <span className="sort-mark" aria-hidden="true">
          {{ none: "", ascending: "↑", descending: "↓" }[direction]}
        </span>
      </button>
    </span>
  );
}

/** The number stays where it is while the other columns are scrolled. */
function placeOf(column: string): string {
  return NUMBERS.includes(column) ? "cell-pinned" : "";
}

function CellView({ column, value }: { column: string; value: Cell }) {
  const place = placeOf(column);
  if (value === null) return <span role="gridcell" className={`cell-null ${place}`} aria-label="null" />;
  if (typeof value === "boolean") {
    return (
      <span
        role="gridcell"
        className={`${value ? "cell-yes" : "cell-no"} ${place}`}
        aria-label={String(value)}
      >
        {value ? "●" : "○"}
      </span>
    );
  }
  return (
    <span
      role="gridcell"
      className={`${typeof value === "number" ? "cell-number" : "cell-text"} ${place}`}
      title={String(value)}
    >
      {shownAs(value)}
    </span>
  );
}

function shownAs(value: Cell): string {
  if (typeof value !== "string") return String(value ?? "");
  return E164.test(value) ? spaced(value) : shortened(value);
}

function CopyButton({ rows, columns }: { rows: Row[]; columns: string[] }) {
  const { copied, copy } = useCopying();
  const take = () => {
    const lines = [columns, ...rows.map((row) => columns.map((column) => row.cells[column] ?? ""))];
    const text = lines.map((line) => line.map(quote).join(",")).join("\r\n");
    if (HAS_CLIPBOARD) void copy(text);
    else download(text, "numbers.csv");
  };
  const label = HAS_CLIPBOARD ? "Copy as CSV" : "Save as CSV";
  return (
    <button type="button" className="quiet" onClick={take}>
      {copied ? "Copied" : label}
    </button>
  );
}

function download(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}

/** RFC 4180; a leading `=`, `@` or tab gets a quote mark so that spreadsheets do not run it. */
function quote(value: unknown): string {
  const text = String(value).replace(/^([=@\t\r])/, "'$1");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function arrange(rows: Row[], filter: string, sort: { column: string; descending: boolean } | null): Row[] {
  const wanted = filter.trim().toLowerCase();
  const digits = wanted.replace(/[\s()-]/g, "");
  const kept = wanted
    ? rows.filter((row) =>
        Object.entries(row.cells).some(([column, cell]) => matches(column, cell, wanted, digits)),
      )
    : rows;
  if (!sort) return kept;
  const sign = sort.descending ? -1 : 1;
  return kept.toSorted((a, b) => sign * compare(a.cells[sort.column] ?? null, b.cells[sort.column] ?? null));
}

/**
 * Digits mean phone numbers: in the middle of a sid or a coordinate nobody looks for them. Those match
 * from their start, sids also by the end that is shown.
 */
function matches(column: string, cell: Cell, wanted: string, digits: string): boolean {
  if (cell === null) return false;
  const text = String(cell).toLowerCase();
  if (typeof cell === "number") return text.startsWith(wanted);
  if (/(^|\.)id$/.test(column)) return text === wanted;
  if (SID.test(text)) return text.startsWith(wanted) || (wanted.length >= 4 && text.endsWith(wanted));
  return text.includes(wanted) || (digits !== "" && text.includes(digits));
}

function compare(a: Cell, b: Cell): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const difference = Number(a) - Number(b); // Exact amounts are strings.
  if (!Number.isNaN(difference)) return difference;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

/** Column widths in characters, from all the rows: they must not jump while scrolling. */
function measure(set: RowSet): Record<string, number> {
  return Object.fromEntries(
    set.columns.map((column) => {
      const longest = set.rows.reduce(
        (most, row) => {
          const cell = row.cells[column];
          return Math.max(most, typeof cell === "boolean" ? 1 : shownAs(cell ?? null).length);
        },
        Math.ceil(0.8 * columnLabel(column, set.columns).length),
      );
      return [column, Math.min(42, longest + 3)];
    }),
  );
}
