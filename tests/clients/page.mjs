// A page without a browser: the document that React renders into.
import { Window } from "happy-dom";
import { WebSocket } from "ws";

const window = new Window({ url: "http://localhost/" });
for (const name of ["document", "navigator", "HTMLElement", "HTMLIFrameElement", "Node", "Event"]) {
  Object.defineProperty(globalThis, name, { value: window[name], configurable: true, writable: true });
}
globalThis.window = window;
// Node.js's own WebSocket takes no events but its own, and here they are the page's.
globalThis.WebSocket = WebSocket;
