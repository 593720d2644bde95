import { useCallback, useRef } from "react";

/** For a place that shows the answer to the last of its questions: each begins with this, and learns whether it is still the last. */
export function useNewest(): () => () => boolean {
  const last = useRef(0);
  return useCallback(() => {
    last.current += 1;
    const own = last.current;
    return () => own === last.current;
  }, []);
}
