import { useEffect, useState } from "react";

/** A place of our own amid what GraphiQL draws, which has no way to put something there; null before it is. */
export function usePlace(selector: string, where: InsertPosition, className = ""): Element | null {
  const [place, setPlace] = useState<Element | null>(null);
  useEffect(() => {
    const own = document.createElement("div");
    own.className = className;
    document.querySelector(selector)?.insertAdjacentElement(where, own);
    setPlace(own);
    return () => own.remove();
  }, [selector, where, className]);
  return place;
}
