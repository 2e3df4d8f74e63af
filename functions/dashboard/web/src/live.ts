/** Whether the page is up to date: the socket, and what it tells; without one, whether the service answers at all. */
import { ChurnSocket } from "../../../../infra/browser/churn-socket.mjs";
import { onContact, post, type Contact } from "./api/client";
import type { Alert } from "./api/types";
import { Store } from "./store";

/**
 * `polling`: there is no socket, and the page asks every ten seconds. `failing`: so it does, as the service answers
 * some questions with errors or not at all. `offline`: the service cannot be reached.
 */
export interface Live {
  state: "connecting" | "live" | "polling" | "failing" | "offline";
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
// A question that fails is asked again sooner; one that is not belongs to a screen that has gone.
const FORGET_MS = 60_000;
/** The questions that have failed, until they are answered or forgotten. */
const failed = new Map<string, { contact: Contact; timer: ReturnType<typeof setTimeout> }>();
let socket: ChurnSocket | null = null;
let isOpen = false;
let wasOpen = false;
/** Whether the server has refused something since the last subscription. */
let isLate = false;
let patience: ReturnType<typeof setTimeout> | undefined;

/** Calls `listener` when something of the topics has changed; returns what ends that. */
export function onTopic(topics: Topic[], listener: () => void): () => void {
  for (const topic of topics) {
    if (!followers.has(topic)) followers.set(topic, new Set());
    followers.get(topic)?.add(listener);
  }
  return () => topics.forEach((topic) => followers.get(topic)?.delete(listener));
}

/** Tells those who follow a topic, a moment later, that something of it has changed. */
export function changed(topic: Topic): void {
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
    .on("error", () => (isLate = true))
    .on("subscribed", subscribed)
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

/** What came before a subscription that could only be made later is asked for. */
function subscribed(): void {
  if (isLate) changed("alerts");
  isLate = false;
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
  const isAway = !navigator.onLine || [...failed.values()].some(({ contact }) => contact === "away");
  const state = isAway ? "offline" : failed.size ? "failing" : isOpen ? "live" : "polling";
  if (state !== live.value.state) live.set({ state, since: Date.now() });
}

onContact((contact, question) => {
  if (contact === "works") {
    // A question that failed and is answered again tells that the others can be, too.
    const isBack = failed.has(question);
    for (const [other, { contact: before }] of failed) if (isBack || before === "away") forget(other);
    if (live.value.state === "offline" || live.value.state === "failing") judge();
    return;
  }
  // What somebody does, and fails, is told where they do it.
  if (contact === "fails" && !question.startsWith("get ")) return;
  forget(question);
  const timer = setTimeout(() => {
    forget(question);
    judge();
  }, FORGET_MS);
  failed.set(question, { contact, timer });
  judge();
});

function forget(question: string): void {
  clearTimeout(failed.get(question)?.timer);
  failed.delete(question);
}

window.addEventListener("online", judge);
window.addEventListener("offline", judge);
