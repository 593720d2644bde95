/**
 * The browser's storage for GraphiQL, which would write the headers of every operation that was run
 * into its history: real credentials, in plain text, for good. Here they are left out.
 */
export const storageWithoutHeaders = {
  get length() {
    return localStorage.length;
  },
  getItem: (key: string) => localStorage.getItem(key),
  setItem: (key: string, value: string) => localStorage.setItem(key, strip(value)),
  removeItem: (key: string) => localStorage.removeItem(key),
  clear: () => localStorage.clear(),
};

function strip(text: string): string {
  if (!text.includes('"headers"')) return text;
  try {
    return JSON.stringify(JSON.parse(text), (name, value: unknown) => (name === "headers" ? null : value));
  } catch {
    return text;
  }
}
