/** How many alerts nobody has looked at yet. */
import { get } from "./api/client";
import { useResource } from "./data";

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
