import { useEffect, useMemo, useRef, useState, type ClipboardEvent, type KeyboardEvent } from "react";
import { arrange } from "./arrange";
import { CellView, placeOf, rawOf, selectedCells } from "./cells";
import { columnLabel, widthsOf } from "./columns";
import { ActionButton, type RowAction } from "./deed";
import type { RowSet } from "./rows";
import { AS_IT_CAME, useTableStates } from "./table-state";
import { TableTools, type More } from "./table-tools";
import "../styles/table.css";

const ROW_HEIGHT = 34;
/** Rows drawn beyond either edge, so that a fast scroll shows no gap. */
const OVERSCAN = 12;

/** Milliseconds without scrolling after which the place is remembered. */
const STILL = 120;

interface Props {
  set: RowSet;
  /** What names the table among those that are remembered. */
  name: string;
  /** What can be done with a row; null when nothing can. */
  action: RowAction | null;
  more: More | null;
}

/** A grid that draws only the rows in sight, sorts, filters, and is driven by the keyboard alone if need be. */
export default function Table({ set, name, action, more }: Props) {
  const { filter, sort, active, column = 0 } = useTableStates(({ tables }) => tables[name] ?? AS_IT_CAME);
  const change = useTableStates((state) => state.change);
  const [view, setView] = useState<View>({ top: 0, height: 600, left: false, right: false });
  const scroller = useRef<HTMLDivElement>(null);

  const widths = useMemo(() => widthsOf(set), [set]);
  const rows = useMemo(() => arrange(set.rows, filter, sort), [set.rows, filter, sort]);
  const template = `${set.columns.map((column) => `${widths[column]}ch`).join(" ")}${action ? " minmax(11ch, 1fr)" : ""}`;
  const current = {
    row: Math.min(active, rows.length - 1),
    column: Math.min(column, set.columns.length - 1),
  };

  useEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    const measure = () => setView((old) => seen(element, old));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [template]);

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
    const row = Math.max(0, Math.min(rows.length - 1, index));
    change(name, { active: row });
    const element = scroller.current;
    if (!element) return;
    const top = row * ROW_HEIGHT;
    const room = element.clientHeight - 2 * ROW_HEIGHT;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top > element.scrollTop + room) element.scrollTop = top - room;
  };

  const moveAside = (step: number) => {
    const column = Math.max(0, Math.min(set.columns.length - 1, current.column + step));
    change(name, { column });
    // A pinned cell covers what lies beneath: the cell is to stand in the middle.
    const cell = scroller.current?.querySelector(`[data-at="${current.row}:${column}"]`);
    cell?.scrollIntoView({ inline: "center", block: "nearest" });
  };

  const onKeyDown = (event: KeyboardEvent) => {
    // Header buttons live inside the grid and keep their own Enter.
    if (event.target !== event.currentTarget) return;
    const page = Math.max(1, Math.floor(view.height / ROW_HEIGHT) - 2);
    const targets: Record<string, number> = {
      ArrowDown: current.row + 1,
      ArrowUp: current.row - 1,
      PageDown: current.row + page,
      PageUp: current.row - page,
      Home: 0,
      End: rows.length - 1,
    };
    const target = targets[event.key];
    const row = rows[current.row];
    if (target !== undefined) moveTo(target);
    else if (event.key === "ArrowLeft") moveAside(-1);
    else if (event.key === "ArrowRight") moveAside(1);
    else if (event.key === "Enter" && action && row) action.offer(row)?.take?.();
    else return;
    event.preventDefault();
  };

  /** Values go to the clipboard whole, as other programs take them: those selected, or the one in hand. */
  const onCopy = (event: ClipboardEvent) => {
    const chosen = selectedCells(event.currentTarget as HTMLElement, getSelection());
    if (chosen.length === 0 && !getSelection()?.isCollapsed) return;
    const places = chosen.length > 0 ? chosen : [[[current.row, current.column] as const]];
    const text = places
      .map((line) =>
        line.map(([row, column]) => rawOf(rows[row]?.cells[set.columns[column] ?? ""] ?? null)).join("\t"),
      )
      .join("\n");
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  };

  const first = Math.max(0, Math.floor(view.top / ROW_HEIGHT) - OVERSCAN);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW_HEIGHT) + OVERSCAN);
  const edges = [view.left && "hidden-left", view.right && "hidden-right"].filter(Boolean).join(" ");

  return (
    <div className={`table ${edges}`}>
      <TableTools
        name={set.path}
        rows={rows}
        all={set.rows.length}
        columns={set.columns}
        filter={filter}
        onFilter={(text) => change(name, { filter: text })}
        more={more}
      />
      <div
        ref={scroller}
        className="table-scroller"
        role="grid"
        aria-label={set.path}
        aria-rowcount={rows.length + 1}
        aria-colcount={set.columns.length + (action ? 1 : 0)}
        aria-activedescendant={rows.length > 0 ? `cell-${current.row}-${current.column}` : undefined}
        tabIndex={0}
        onKeyDown={onKeyDown}
        onCopy={onCopy}
        onScroll={({ currentTarget }) => setView((old) => seen(currentTarget, old))}
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
                className="table-row"
                role="row"
                aria-rowindex={index + 2}
                aria-selected={index === current.row}
                style={{ gridTemplateColumns: template, transform: `translateY(${index * ROW_HEIGHT}px)` }}
              >
                {set.columns.map((column, place) => (
                  <CellView
                    key={column}
                    id={`cell-${index}-${place}`}
                    at={`${index}:${place}`}
                    column={column}
                    value={row.cells[column] ?? null}
                    flag={set.flags.has(column)}
                    current={index === current.row && place === current.column}
                    onChoose={() => change(name, { active: index, column: place })}
                  />
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

/** Which part of the rows is in sight, and whether columns are hidden on either side. */
interface View {
  top: number;
  height: number;
  left: boolean;
  right: boolean;
}

function seen(element: HTMLElement, old: View): View {
  const { scrollTop: top, clientHeight: height, scrollLeft, clientWidth, scrollWidth } = element;
  const [left, right] = [scrollLeft > 0, scrollLeft + clientWidth < scrollWidth - 1];
  const same = top === old.top && height === old.height && left === old.left && right === old.right;
  return same ? old : { top, height, left, right };
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
