/** PURE: which places get their name written on the map, and on which side of the mark. */
import { scaleOf, type Camera, type Place, type Size } from "./projection";

/** Pixels: of the smallest place, and what the largest has more. */
const FONT = 11;
const LARGER = 2.5;
/** More would cover the map. */
const MOST = 24;
/** Of so many of the largest places in view: the search for room is not to slow a drag. */
const TRIED = 120;
/** Of a line, to the size of its letters. */
const LEADING = 1.25;
const GAP = 4;

export interface Label {
  place: Place;
  /** Where the text is anchored, in pixels from the mark. */
  x: number;
  y: number;
  anchor: "start" | "middle" | "end";
  /** Pixels: the more numbers a place has, the larger. */
  font: number;
}

/** Pixels that a text takes in letters of a size. */
export type Measure = (text: string, font: number) => number;

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/**
 * Place the names of the largest places in view where they cover neither a mark nor another name; a name
 * without such a place is left out, except that of the selected place.
 */
export function settle(
  places: Place[],
  radius: (place: Place) => number,
  camera: Camera,
  size: Size,
  selected: Place | null,
  measure: Measure,
): Label[] {
  const most = Math.max(1, ...places.map(({ rows }) => rows.length));
  const scale = scaleOf(camera, size);
  const centre = (place: Place) => ({
    x: (place.x - camera.x) * scale + size.width / 2,
    y: (place.y - camera.y) * scale + size.height / 2,
  });
  const inView = places.filter((place) => {
    const { x, y } = centre(place);
    return x > 0 && x < size.width && y > 0 && y < size.height;
  });
  const marks = inView.map((place) => around(centre(place), radius(place)));
  const names: Box[] = [];
  const labels: Label[] = [];
  const order = inView.slice(0, TRIED).filter((place) => place !== selected);
  if (selected && inView.includes(selected)) order.unshift(selected);

  for (const place of order) {
    if (labels.length === MOST) break;
    const { x, y } = centre(place);
    const reach = radius(place) + GAP;
    const font = FONT + LARGER * Math.sqrt((place.rows.length - 1) / Math.max(1, most - 1));
    const [width, height] = [measure(place.label, font), font * LEADING];
    const sides: Label[] = [
      { place, font, x: reach, y: 0, anchor: "start" },
      { place, font, x: -reach, y: 0, anchor: "end" },
      { place, font, x: 0, y: -reach - height / 2, anchor: "middle" },
      { place, font, x: 0, y: reach + height / 2, anchor: "middle" },
    ];
    const boxed = sides.map((side) => ({ side, box: boxOf(side, x, y, width, height) }));
    const free = boxed.find(
      ({ box }) =>
        box.left > 0 && box.right < size.width && ![...marks, ...names].some((other) => meet(box, other)),
    );
    const chosen = free ?? (place === selected ? boxed[0] : undefined);
    if (!chosen) continue;
    labels.push(chosen.side);
    names.push(chosen.box);
  }
  return labels;
}

function around({ x, y }: { x: number; y: number }, radius: number): Box {
  return { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius };
}

function boxOf(side: Label, x: number, y: number, width: number, height: number): Box {
  const start = { start: 0, middle: -width / 2, end: -width }[side.anchor];
  const left = x + side.x + start;
  const top = y + side.y - height / 2;
  return { left, right: left + width, top, bottom: top + height };
}

function meet(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
