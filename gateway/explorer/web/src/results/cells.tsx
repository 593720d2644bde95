import type { ReactNode } from "react";
import { HAS_CLIPBOARD, useCopying } from "./copyable";
import { shortened, spaced } from "./format";
import { NUMBERS, type Cell } from "./rows";

const E164 = /^\+\d{6,15}$/;

/** A value as it is shown: numbers in groups, sids by their ends. What is copied is the value itself. */
export function shownAs(value: Cell): string {
  if (typeof value !== "string") return String(value ?? "—");
  return E164.test(value) ? spaced(value) : shortened(value);
}

/** The value itself, as other programs take it. */
export function rawOf(value: Cell): string {
  return String(value ?? "");
}

/** The number stays where it is while the other columns are scrolled. */
export function placeOf(column: string): string {
  return NUMBERS.includes(column) ? "cell-pinned" : "";
}

interface Props {
  id: string;
  /** Row and column, for what is copied. */
  at: string;
  column: string;
  value: Cell;
  /** Whether the column tells yes or no. */
  flag: boolean;
  /** Whether the keyboard is on this cell. */
  current: boolean;
  onChoose(): void;
}

export function CellView({ id, at, column, value, flag, current, onChoose }: Props) {
  const kind = flag ? `cell-flag is-${FLAGS[String(value)]}` : KINDS[typeof value];
  return (
    <span
      id={id}
      data-at={at}
      role="gridcell"
      className={`${kind ?? "cell-null"} ${placeOf(column)} ${current ? "is-current" : ""}`}
      title={flag || value === null ? undefined : String(value)}
      onClick={onChoose}
    >
      {flag ? <Flag value={value} /> : <Shown value={value} />}
      {current && value !== null && HAS_CLIPBOARD && <CopyCell value={value} />}
    </span>
  );
}

const KINDS: Record<string, string> = { number: "cell-number", string: "cell-text" };

function Shown({ value }: { value: Cell }): ReactNode {
  if (value === null) return <span aria-label="no value">—</span>;
  return shownAs(value);
}

const FLAGS: Record<string, "yes" | "no" | "unknown"> = { true: "yes", false: "no", null: "unknown" };
const STROKES = {
  yes: "M2.5 6.5 5 9l4.5-6",
  no: "m3 3 6 6M9 3 3 9",
  unknown: "M3.8 4a2.2 2.2 0 1 1 3.3 2c-.8.4-1.1.8-1.1 1.5M6 9.8v.2",
};

/** Yes, no and unknown differ in shape and word, not in colour alone. */
function Flag({ value }: { value: Cell }) {
  const word = FLAGS[String(value)] ?? "unknown";
  return (
    <>
      <svg viewBox="0 0 12 12" aria-hidden="true">
        <path d={STROKES[word]} />
      </svg>
      {word}
    </>
  );
}

/** Beside the value that somebody has clicked; the keyboard has Ctrl+C. */
function CopyCell({ value }: { value: Cell }) {
  const { copied, copy } = useCopying();
  return (
    <button
      type="button"
      className="cell-copy"
      tabIndex={-1}
      aria-label={copied ? "Copied" : `Copy ${rawOf(value)}`}
      title={copied ? "Copied" : "Copy the value"}
      onClick={() => void copy(rawOf(value))}
    >
      <svg viewBox="0 0 12 12" aria-hidden="true">
        <path d={copied ? STROKES.yes : "M4 4V1.5h6.5V8H8M1.5 4H8v6.5H1.5z"} />
      </svg>
    </button>
  );
}

/** The cells that a selection touches, as places of rows and columns, row by row; none outside of `grid`. */
export function selectedCells(grid: HTMLElement, selection: Selection | null): [number, number][][] {
  if (!selection || selection.isCollapsed || selection.rangeCount === 0) return [];
  const range = selection.getRangeAt(0);
  const rows = new Map<string, [number, number][]>();
  for (const cell of grid.querySelectorAll<HTMLElement>("[data-at]")) {
    if (!covers(range, cell)) continue;
    const [row = "", column] = (cell.dataset.at ?? "").split(":");
    rows.set(row, [...(rows.get(row) ?? []), [Number(row), Number(column)]]);
  }
  return [...rows.values()];
}

/** Whether some of a cell's text is selected: a range that ends where the cell begins only touches it. */
function covers(range: Range, cell: HTMLElement): boolean {
  if (!range.intersectsNode(cell)) return false;
  const part = range.cloneRange();
  if (part.comparePoint(cell, 0) >= 0) part.setStart(cell, 0);
  if (part.comparePoint(cell, cell.childNodes.length) <= 0) part.setEnd(cell, cell.childNodes.length);
  return part.toString() !== "";
}
