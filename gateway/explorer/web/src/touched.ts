import { create } from "zustand";
import { isObject, type Json, type JsonObject } from "./json";

/** An owned number. */
export interface Owned {
  sid: string;
  phoneNumber: string;
  accountSid: string;
}

interface Touched {
  /** The number that the person at this page bought, changed, moved or chose last. */
  number: Owned | null;
}

export const useTouched = create<Touched>(() => ({ number: null }));

export function touch(number: Owned | null): void {
  useTouched.setState({ number });
}

/** The number that a payload tells all of. */
export function ownedIn(payload: JsonObject): Owned | null {
  const { sid, phoneNumber, accountSid } = isObject(payload.phoneNumber) ? payload.phoneNumber : {};
  const told = typeof sid === "string" && typeof phoneNumber === "string" && typeof accountSid === "string";
  return told ? { sid, phoneNumber, accountSid } : null;
}

/** Note which number the payloads of a mutation are about; one that was given back is forgotten. */
export function noteTouched(data: Json | undefined): void {
  if (!isObject(data)) return;
  const payloads = Object.values(data).flatMap((value) =>
    isObject(value) && Array.isArray(value.results) ? value.results : [value],
  );
  for (const payload of payloads.filter(isObject)) {
    const number = ownedIn(payload);
    if (number) touch(number);
    const released = payload.releasedId;
    if (released && released === useTouched.getState().number?.sid) touch(null);
  }
}
