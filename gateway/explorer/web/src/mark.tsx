/** A crossbar switch with one contact closed: a line from a caller to a number. */
export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 24 24" aria-hidden="true">
      <path className="mark-bars" d="M4 2v20M12 2v20M20 2v20M2 4h20M2 12h20M2 20h20" />
      <path className="mark-line" d="M2 12h10v10" />
      <circle className="mark-dot" cx="12" cy="12" r="3.2" />
    </svg>
  );
}
