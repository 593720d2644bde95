import { isObject, objects, type Json, type JsonObject } from "./json";

type Path = (string | number)[];

/** The data of an answer that comes in parts (`@defer`, `@stream`), put together as they come. */
export class Gathered {
  data: Json = null;
  /** Where the parts of an id belong. */
  private readonly places = new Map<string, Path>();

  add(part: JsonObject): void {
    if ("data" in part) this.data = structuredClone(part.data ?? null);
    for (const { id, path } of objects(part.pending)) this.places.set(String(id), path as Path);
    for (const { id, subPath, items, data } of objects(part.incremental)) {
      const path = [...(this.places.get(String(id)) ?? []), ...((subPath ?? []) as Path)];
      const target = path.reduce<Json | undefined>(step, this.data);
      if (Array.isArray(target) && Array.isArray(items)) target.push(...structuredClone(items));
      else if (isObject(target) && isObject(data)) merge(target, structuredClone(data));
    }
  }
}

function step(value: Json | undefined, key: string | number): Json | undefined {
  if (Array.isArray(value)) return value[Number(key)];
  return isObject(value) ? value[key] : undefined;
}

function merge(target: JsonObject, source: JsonObject): void {
  for (const [key, value] of Object.entries(source)) {
    const known = target[key];
    if (isObject(known) && isObject(value)) merge(known, value);
    else target[key] = value;
  }
}
