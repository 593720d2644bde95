const SID = /\b([A-Z]{2})[0-9a-f]{28}([0-9a-f]{4})\b/g;

/** Sids are 34 characters long; their ends tell them apart. */
export function shortened(text: string): string {
  return text.replace(SID, "$1…$2");
}

/** `+14155550100` → `+1 415 555 0100`; numbers outside the North American plan stay as they are. */
export function spaced(phoneNumber: string): string {
  return phoneNumber.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, "+1 $1 $2 $3");
}

export function milliseconds(duration: number): string {
  if (duration < 10) return `${duration.toFixed(1)} ms`;
  return duration < 1000 ? `${Math.round(duration)} ms` : `${(duration / 1000).toFixed(2)} s`;
}

export function count(amount: number, noun: string): string {
  return `${amount.toLocaleString("en")} ${noun}${amount === 1 ? "" : "s"}`;
}
