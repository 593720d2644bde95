// What browsers and newer Node.js have and Node.js 20 lacks.
import { WebSocket } from "ws";

globalThis.WebSocket ??= WebSocket;
