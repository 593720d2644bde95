/** The rows that are shown, as a text that other programs take, or a file of it. */
import { PARENT, type Row } from "./rows";
import { rawOf } from "./cells";

/** RFC 4180: a header, CRLF after each line, quotes where they are needed. */
export function csvOf(rows: Row[], columns: string[]): string {
  const lines = [columns, ...rows.map(({ cells }) => columns.map((column) => rawOf(cells[column] ?? null)))];
  return lines.map((line) => `${line.map(quoted).join(",")}\r\n`).join("");
}

/** The rows as the answer has them; one of a nested list says first whose it is. */
export function jsonOf(rows: Row[]): string {
  const objects = rows.map(({ cells, source }) =>
    PARENT in cells ? { [PARENT]: cells[PARENT], ...source } : source,
  );
  return `${JSON.stringify(objects, null, 2)}\n`;
}

/** What spreadsheets take for a formula, also behind spaces and in full width. */
const FORMULA = /^\s*[=+\-@＝＋－＠\t\r]/;
/** Phone numbers, amounts and coordinates begin like one, and are none. */
const PLAIN = /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i;

function quoted(text: string): string {
  const safe = FORMULA.test(text) && !PLAIN.test(text) ? `'${text}` : text;
  return /[",;\t\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function save(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}
