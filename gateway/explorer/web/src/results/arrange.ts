/** PURE: which rows of a table are shown, and in which order. */
import type { Cell, Row } from "./rows";
import type { TableState } from "./table-state";

const SID = /^[A-Z]{2}[0-9a-f]{32}$/i;

export function arrange(rows: Row[], filter: string, sort: TableState["sort"]): Row[] {
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
