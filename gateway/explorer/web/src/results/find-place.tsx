import { useId, useMemo, useState, type KeyboardEvent } from "react";
import { findPlaces, type Named } from "./places";

interface Props {
  places: Named[];
  onFind(place: Named): void;
}

/** A name is typed, the places that have it are offered, arrow keys choose, Enter takes. */
export function FindPlace({ places, onFind }: Props) {
  const [typed, setTyped] = useState("");
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const list = useId();
  const found = useMemo(() => findPlaces(places, typed), [places, typed]);
  const shown = open && typed.trim() !== "";
  const current = Math.min(at, found.length - 1);

  const take = (place: Named | undefined) => {
    if (!place) return;
    setTyped(place.name);
    setOpen(false);
    onFind(place);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const moves: Record<string, () => void> = {
      ArrowDown: () => (shown ? setAt((current + 1) % Math.max(1, found.length)) : setOpen(true)),
      ArrowUp: () => setAt((current - 1 + found.length) % Math.max(1, found.length)),
      Enter: () => take(shown ? found[current] : undefined),
      Escape: () => (shown ? setOpen(false) : setTyped("")),
    };
    const move = event.ctrlKey || event.metaKey ? undefined : moves[event.key];
    if (!move) return;
    move();
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div className="find-place">
      <input
        type="text"
        role="combobox"
        aria-label="Find a place"
        aria-expanded={shown}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={shown && found.length > 0 ? `${list}-${current}` : undefined}
        placeholder="Find a place"
        autoComplete="off"
        spellCheck={false}
        value={typed}
        onChange={({ target }) => {
          setTyped(target.value);
          setAt(0);
          setOpen(true);
        }}
        onKeyDown={onKeyDown}
        onBlur={() => setOpen(false)}
      />
      <ul id={list} role="listbox" aria-label="Places" hidden={!shown}>
        {found.map((place, index) => (
          <li
            key={`${place.name}${place.about}`}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === current}
            // Not on click: by then the field has lost the focus, and the list is gone.
            onPointerDown={(event) => {
              event.preventDefault();
              take(place);
            }}
          >
            {place.name} <small>{place.about}</small>
          </li>
        ))}
        {found.length === 0 && (
          <li role="option" aria-selected={false} aria-disabled="true" className="is-none">
            No place of that name
          </li>
        )}
      </ul>
    </div>
  );
}
