import { create } from "zustand";
import { createJSONStorage, persist } from "zustand/middleware";

/** How a person looks at the table of one list of one tab. */
export interface TableState {
  filter: string;
  sort: { column: string; descending: boolean } | null;
  /** The row that the keyboard is at. */
  active: number;
  /** The column that it is at. */
  column?: number;
  /** How far it is scrolled, in pixels. */
  top: number;
}

export const AS_IT_CAME: TableState = { filter: "", sort: null, active: 0, top: 0 };

/** Tables that are remembered; the ones looked at longest ago are forgotten. */
const MOST = 60;

interface TableStates {
  /** By what names a table; those changed last stand last. */
  tables: Record<string, TableState>;
  change(name: string, changed: Partial<TableState>): void;
  /** By id of the tab: which of its lists is looked at. */
  lists: Record<string, string>;
  choose(tab: string, list: string): void;
}

/** Filter, sort and scroll survive a run, a change of tabs, and a reload in the same window. */
export const useTableStates = create<TableStates>()(
  persist(
    (set) => ({
      tables: {},
      lists: {},
      choose: (tab, list) =>
        set(({ lists: { [tab]: _, ...others } }) => {
          const kept = Object.entries(others).slice(1 - MOST);
          return { lists: { ...Object.fromEntries(kept), [tab]: list } };
        }),
      change: (name, changed) =>
        set(({ tables }) => {
          const { [name]: known = AS_IT_CAME, ...others } = tables;
          const kept = Object.entries(others).slice(1 - MOST);
          return { tables: { ...Object.fromEntries(kept), [name]: { ...known, ...changed } } };
        }),
    }),
    { name: "number-gateway:tables", storage: createJSONStorage(() => sessionStorage) },
  ),
);
