/** PURE: what the columns of a table are called, and how wide they are. */
import { NUMBERS, type Cell, type RowSet } from "./rows";
import { shownAs } from "./cells";

/** Words that are letters said one by one: a header keeps them as people write them. */
const ACRONYMS = new Set([
  ..."api cnam e911 html http id ip iso json lata mms npa nxx sid sip sms tts uri url utc xml".split(" "),
]);
const WIDEST = 42;

/** A label that is short and still unlike its neighbours': `Voice URL`, `SMS URL`, `Locality`. */
export function columnLabel(column: string, columns: string[]): string {
  const words = column.split(".");
  for (let count = 1; count < words.length; count++) {
    const tail = words.slice(-count).join(".");
    if (columns.filter((other) => other === tail || other.endsWith(`.${tail}`)).length === 1) {
      return spell(words.slice(-count));
    }
  }
  return spell(words);
}

function spell(names: string[]): string {
  const words = names
    .join(" ")
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(" ")
    .map((word) => (ACRONYMS.has(word) ? word.toUpperCase() : word));
  const text = words.join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Column widths in characters, from all the rows: they must not jump while scrolling. */
export function widthsOf(set: RowSet): Record<string, number> {
  return Object.fromEntries(
    set.columns.map((column) => {
      const flag = set.flags.has(column);
      const label = Math.ceil(0.85 * columnLabel(column, set.columns).length);
      const longest = set.rows.reduce(
        (most, { cells }) => Math.max(most, lengthOf(cells[column] ?? null, flag)),
        label,
      );
      return [column, Math.min(WIDEST, longest + (NUMBERS.includes(column) ? 4 : 3))];
    }),
  );
}

/** With its icon. */
const UNKNOWN = "unknown".length + 2;

function lengthOf(value: Cell, flag: boolean): number {
  return flag ? UNKNOWN : shownAs(value).length;
}
