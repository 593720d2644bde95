import { useRef, useState } from "react";

/** Browsers keep the clipboard from pages that came over plain HTTP from another machine. */
export const HAS_CLIPBOARD = "clipboard" in navigator;

/** Copies texts, and tells for a moment that one was copied. */
export function useCopying() {
  const [copied, setCopied] = useState(false);
  const timer = useRef(0);
  const copy = async (text: string) => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setCopied(false), 1500);
  };
  return { copied, copy };
}

/** A text that is copied with one click, as it stands. */
export function Copyable({ text, name }: { text: string; name: string }) {
  const { copied, copy } = useCopying();
  return (
    <>
      <code>{text}</code>{" "}
      {HAS_CLIPBOARD && (
        <button
          type="button"
          className="small"
          aria-label={`Copy the ${name}`}
          onClick={() => void copy(text)}
        >
          {copied ? "Copied" : "Copy"}
        </button>
      )}
    </>
  );
}
