/** Whether the page is up to date: the socket, and what it tells; without one, whether the service answers at all. */
import { ChurnSocket } from "../../../../infra/browser/churn-socket.mjs";
import { onContact, post } from "./api/client";
import type { Alert } from "./api/types";
import { Store } from "./store";

/** `polling`: there is no socket, and the page asks every ten seconds. */
export interface Live {
  state: "connecting" | "live" | "polling" | "offline";
  /** Since when, in milliseconds. */
  since: number;
}
export type Topic = "alerts" | "predictions" | "model";

export const live = new Store<Live>({ state: "connecting", since: Date.now() });
/** The alerts that came by the socket since the page was opened, the newest first. */
export const arrived = new Store<Alert[]>([]);

const followers = new Map<Topic, Set<() => void>>();
const waiting = new Map<Topic, ReturnType<typeof setTimeout>>();
const ARRIVED_AT_MOST = 50;
// Without a socket for so long the page asks by itself.
const PATIENCE_MS = 5000;
// A burst of messages is one reason to ask.
const GATHER_MS = 400;
let socket: ChurnSocket | null = null;
let isReached = true;
let isOpen = false;
let wasOpen = false;
let patience: ReturnType<typeof setTimeout> | undefined;

/** Calls `listener` when something of the topics has changed; returns what ends that. */
export function onTopic(topics: Topic[], listener: () => void): () => void {
  for (const topic of topics) {
    if (!followers.has(topic)) followers.set(topic, new Set());
    followers.get(topic)?.add(listener);
  }
  return () => topics.forEach((topic) => followers.get(topic)?.delete(listener));
}

function changed(topic: Topic): void {
  if (waiting.has(topic)) return;
  waiting.set(
    topic,
    setTimeout(() => {
      waiting.delete(topic);
      followers.get(topic)?.forEach((listener) => listener());
    }, GATHER_MS),
  );
}

/** Begins to follow the service; `connect` was called before ends that. */
export function connect(): void {
  disconnect();
  const url = document.querySelector<HTMLMetaElement>("meta[name=churn-socket]")?.content;
  patience = setTimeout(judge, PATIENCE_MS);
  if (!url) return;
  socket = new ChurnSocket(url, async () => (await post("/api/alerts/ticket", {})).ticket);
  socket
    .on("open", () => opened(true))
    .on("close", () => opened(false))
    .on("churn_alert", (alert) => {
      arrived.set([alert as Alert, ...arrived.value].slice(0, ARRIVED_AT_MOST));
      changed("alerts");
    })
    .on("alert_updated", () => changed("alerts"))
    .on("prediction_update", () => changed("predictions"))
    .on("system_alert", () => changed("model"))
    .emit("subscribe_alerts", {});
}

/** Is told each new score of a customer, as the topic `predictions`; returns what ends that. */
export function followPredictions(customerId: string): () => void {
  socket?.emit("subscribe_predictions", { customer_ids: [customerId] });
  return () => socket?.emit("unsubscribe_predictions");
}

export function disconnect(): void {
  clearTimeout(patience);
  socket?.close();
  socket = null;
  isOpen = wasOpen = false;
  arrived.set([]);
}

function opened(open: boolean): void {
  const isBack = open && !isOpen && wasOpen;
  isOpen = open;
  wasOpen ||= open;
  judge();
  // What changed while there was no connection is asked for.
  if (isBack) (["alerts", "predictions", "model"] as Topic[]).forEach(changed);
}

function judge(): void {
  const state = !isReached || !navigator.onLine ? "offline" : isOpen ? "live" : "polling";
  if (state !== live.value.state) live.set({ state, since: Date.now() });
}

onContact((reached) => {
  isReached = reached;
  if (!reached || live.value.state === "offline") judge();
});
window.addEventListener("online", judge);
window.addEventListener("offline", judge);
