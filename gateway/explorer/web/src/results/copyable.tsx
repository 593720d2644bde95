import { useState } from "react";

// Browsers keep the clipboard from pages that came over plain HTTP from another machine.
const HAS_CLIPBOARD = "clipboard" in navigator;

/** A text that is copied with one click, as it stands. */
export function Copyable({ text, name }: { text: string; name: string }) {
  const [copied, setCopied] = useState(false);
  const take = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <>
      <code>{text}</code>{" "}
      {HAS_CLIPBOARD && (
        <button type="button" className="small" aria-label={`Copy the ${name}`} onClick={() => void take()}>
          {copied ? "Copied" : "Copy"}
        </button>
      )}
    </>
  );
}
