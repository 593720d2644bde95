import { useEffect, useState } from "react";
import { milesOf, MILES, type Area } from "./area";

interface Props {
  area: Area;
  /** What the middle of it is called. */
  name: string;
  /** Whether it is not searched yet. */
  isNew: boolean;
  onChange(area: Area): void;
  onSearch(): void;
  onLeave(): void;
}

/** The area in words, with its radius as a number: what dragging does, the keyboard does here. */
export function AreaBar({ area, name, isNew, onChange, onSearch, onLeave }: Props) {
  const miles = milesOf(area.miles);
  const [typed, setTyped] = useState(String(miles));
  useEffect(() => setTyped(String(miles)), [miles]);
  return (
    <form
      className="map-bar"
      aria-label="Search an area"
      onSubmit={(event) => {
        event.preventDefault();
        onSearch();
      }}
    >
      <label>
        Within{" "}
        <input
          type="number"
          aria-label="Miles"
          min={MILES.least}
          max={MILES.most}
          required
          value={typed}
          onChange={({ target }) => {
            setTyped(target.value);
            if (target.value && target.validity.valid) onChange({ ...area, miles: target.valueAsNumber });
          }}
        />{" "}
        miles
      </label>{" "}
      <span className="map-bar-name">of {name}</span>
      {isNew && (
        <>
          <button type="submit" className="small">
            Search here
          </button>
          <button type="button" className="quiet" aria-label="Leave the area" onClick={onLeave}>
            ✕
          </button>
        </>
      )}
    </form>
  );
}
