/** The client as an ES module: `import { ChurnSocket } from "./churn-socket.mjs"`. */
import "./churn-socket.js";

export const ChurnSocket = globalThis.ChurnSocket;
