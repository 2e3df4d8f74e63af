/** The boxes of the inbox, and what an address shows. */
import type { Query } from "../../api/client";
import { oneOf } from "../../values";

type AlertsQuery = NonNullable<Query<"/api/alerts">>;
export type Box = "new" | "mine" | "work" | "snoozed" | "done";

/** `empty`: what stands in an empty box; `hint`: what fills it, for whoever may do that. */
export const BOXES: Record<Box, { name: string; query: AlertsQuery; empty: string; hint?: string }> = {
  new: {
    name: "New",
    query: { status: ["new"] },
    empty: "Nobody needs you right now. An alert appears here within a second of the event that raises it.",
  },
  mine: {
    name: "Mine",
    query: { status: ["new", "acknowledged", "in_progress"], assigned_to: "me" },
    empty: "You have nothing to work on.",
    hint: "Press a on an alert to take it on.",
  },
  work: {
    name: "In work",
    query: { status: ["acknowledged", "in_progress"] },
    empty: "Nobody is working on an alert.",
    hint: "Press e on a new one to say that you have seen it.",
  },
  snoozed: {
    name: "Snoozed",
    query: { status: ["new", "acknowledged", "in_progress"], snoozed: "only" },
    empty: "Nothing is put off.",
    hint: "Press s on an alert to see it again later.",
  },
  done: {
    name: "Done",
    query: { status: ["resolved", "dismissed"], snoozed: "true" },
    empty: "No alert has been dealt with yet.",
  },
};

// What a link of the API, such as that of a figure, may ask for.
const FILTERS = [
  "status",
  "created_from",
  "created_to",
  "snoozed",
  "customer_id",
  "alert_type",
  "outcome",
  "handling",
  "priority",
];

/** Returns which alerts an address shows: those of a box, or those that a figure counts. */
export function shownAt(address: URLSearchParams): { box: Box | null; query: AlertsQuery } {
  const box = oneOf(address.get("box"), Object.keys(BOXES) as Box[]);
  const filters = FILTERS.filter((name) => address.get(name));
  if (box || !filters.length) return { box: box ?? "new", query: BOXES[box ?? "new"].query };
  const query = Object.fromEntries(filters.map((name) => [name, address.get(name)]));
  return { box: null, query: query };
}
