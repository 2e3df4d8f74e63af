/** How many alerts nobody has looked at yet, and when those that are put off come back. */
import { useEffect } from "preact/hooks";
import { get } from "./api/client";
import { useResource } from "./data";
import { changed } from "./live";

export function useUnread(): number {
  const page = useResource(
    "unread",
    (signal) => get("/api/alerts", { status: ["new"], limit: 1 }, undefined, signal),
    {
      topics: ["alerts"],
    },
  );
  return page.data?.total ?? 0;
}

const MOST = 500;
// The service's clock may be behind the reader's.
const AGAIN_MS = 10_000;
const LONGEST_MS = 86_400_000;

/** Lets all that shows alerts ask anew when the earliest snooze ends: of that nothing is told. */
export function useSnoozeEnds(): void {
  const page = useResource(
    "snoozed",
    (signal) =>
      get(
        "/api/alerts",
        { status: ["new", "acknowledged", "in_progress"], snoozed: "only", limit: MOST },
        undefined,
        signal,
      ),
    { topics: ["alerts"] },
  );
  const alerts = page.data?.alerts;
  useEffect(() => {
    const ends = (alerts ?? []).map((alert) => Date.parse(alert.snoozed_until ?? "")).filter(Number.isFinite);
    if (!ends.length) return;
    const wait = Math.min(...ends) - Date.now();
    const timer = setTimeout(() => changed("alerts"), wait > 0 ? Math.min(wait + 500, LONGEST_MS) : AGAIN_MS);
    return () => clearTimeout(timer);
  }, [alerts]);
}
