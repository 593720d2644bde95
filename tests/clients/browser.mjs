// What browsers and newer Node.js have and Node.js 20 lacks; and what is complained of on the console.
import { WebSocket } from "ws";

globalThis.WebSocket ??= WebSocket;

/** All that clients and React have warned of. */
globalThis.warnings = [];
for (const level of ["warn", "error"]) {
  console[level] = (...words) => void warnings.push(words.map(String).join(" "));
}
