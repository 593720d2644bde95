import { useEffect, useMemo, useState } from "react";
import statesAtlas from "us-atlas/states-10m.json";
import { MILES, type Area } from "./area";
import { AreaBar } from "./area-bar";
import { ActionButton, type RowAction } from "./deed";
import { FindPlace } from "./find-place";
import { count, spaced } from "./format";
import { MapCanvas } from "./map-canvas";
import { countryOf, knownPlaces, nameOf } from "./places";
import { extentOf, gather, outline, type Atlas, type Place } from "./projection";
import type { Row } from "./rows";
import type { AreaSearch } from "./use-area-search";
import "../styles/map.css";

const STATES = statesAtlas as unknown as Atlas;

interface Props {
  rows: Row[];
  action: RowAction | null;
  /** The search that the rows come from, when it can be run for another area. */
  search: AreaSearch | null;
}

/** An outline map with one mark per place; beside it the places as a list, which the keyboard can walk. */
export default function PlaceMap({ rows, action, search }: Props) {
  const named = useMemo(() => knownPlaces(STATES), []);
  /** What is being drawn, or was found by name, and is not searched yet. */
  const [draft, setDraft] = useState<Area | null>(null);
  const [drawing, setDrawing] = useState(false);
  const area = draft ?? search?.area ?? null;
  // Not while it is drawn: the map must not change under a hand.
  const [settled, setSettled] = useState(area);
  useEffect(() => setDraft(null), [search?.area?.latitude, search?.area?.longitude, search?.area?.miles]);
  useEffect(() => setSettled(search?.area ?? null), [search?.area?.latitude, search?.area?.longitude, rows]);

  const extent = useMemo(() => extentOf(rows, settled ? [settled] : []), [rows, settled]);
  const world = useWorld(extent !== "states");
  const drawn = useMemo(() => outline(extent, STATES, world), [extent, world]);
  const places = useMemo(() => (drawn ? gather(rows, drawn.projection) : []), [rows, drawn]);
  const [selected, setSelected] = useState<Place | null>(null);
  useEffect(() => setSelected(null), [places]);

  if (!drawn) return <p className="view-note">Loading the outline…</p>;
  const unplaced = rows.filter((row) => !row.place).length;
  const start = (chosen: Area) => {
    setDrawing(false);
    setDraft(chosen);
    search?.run(chosen, chosen.country ?? countryOf(chosen, named));
  };

  return (
    <div className="map">
      <MapCanvas
        outline={drawn}
        places={places}
        selected={selected}
        onSelect={setSelected}
        area={area}
        view={settled}
        drawing={drawing}
        onDraw={search && setDraft}
        onDrawn={start}
      >
        <div className="map-find">
          <FindPlace
            places={named}
            onFind={({ latitude, longitude, country, miles }) => {
              const found = { latitude, longitude, country, miles: miles ?? area?.miles ?? MILES.usual };
              setDraft(search ? found : null);
              setSettled(found);
            }}
          />
          {search && (
            <button
              type="button"
              className="map-draw"
              aria-pressed={drawing}
              title="Search an area: drag from its middle outwards"
              onClick={() => setDrawing(!drawing)}
            >
              <svg viewBox="0 0 16 16" aria-hidden="true">
                <circle cx="8" cy="8" r="6" />
                <path d="M8 8h6" />
              </svg>
              <span>Draw an area</span>
            </button>
          )}
        </div>
        {search && drawing && !draft && (
          <p className="map-bar" role="status">
            Drag from the middle of the area outwards.
          </p>
        )}
        {search && area && !(drawing && !draft) && (
          <AreaBar
            area={area}
            name={nameOf(area, named)}
            isNew={draft !== null}
            onChange={setDraft}
            onSearch={() => start(area)}
            onLeave={() => {
              setDrawing(false);
              setDraft(null);
              setSettled(search.area);
            }}
          />
        )}
      </MapCanvas>
      <aside className="map-side" aria-label="Places">
        <p className="map-count">
          {rows.length === 0
            ? "No numbers here"
            : `${count(rows.length - unplaced, "number")} in ${count(places.length, "place")}`}
          {unplaced > 0 && `, ${unplaced.toLocaleString("en")} without coordinates`}
        </p>
        <ul className="map-places">
          {places.map((place) => (
            <li key={`${place.x},${place.y}`}>
              <button
                type="button"
                aria-expanded={place === selected}
                onClick={() => setSelected(place === selected ? null : place)}
              >
                <span>{place.label}</span>
                <span className="tally">{place.rows.length}</span>
              </button>
              {place === selected && (
                <ul className="map-numbers">
                  {place.rows.map((row, index) => (
                    <li key={index}>
                      <code>{row.phoneNumber ? spaced(row.phoneNumber) : "—"}</code>
                      {action && <ActionButton offer={action.offer(row)} />}
                    </li>
                  ))}
                </ul>
              )}
            </li>
          ))}
        </ul>
      </aside>
    </div>
  );
}

/** The world's outline is loaded when a place lies outside the United States. */
function useWorld(needed: boolean): Atlas | null {
  const [world, setWorld] = useState<Atlas | null>(null);
  useEffect(() => {
    if (needed && !world) {
      void import("world-atlas/countries-110m.json").then((loaded) =>
        setWorld(loaded.default as unknown as Atlas),
      );
    }
  }, [needed, world]);
  return needed ? world : null;
}
