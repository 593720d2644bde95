/** The text that base64url holds, as links and tokens do; throws where it holds none. */
export function textIn(encoded: string): string {
  const bytes = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder().decode(Uint8Array.from(bytes, (each) => each.charCodeAt(0)));
}
