/** The figures of the shop, which also tell the currency in which every screen shows money. */
import { get } from "./api/client";
import type { Stats } from "./api/types";
import { useResource, type Options, type Resource } from "./data";
import { takeCurrencyOf } from "./format";

// The page asks when it is opened, and the first screen as soon as its code is here.
const NEW_ENOUGH_SECONDS = 5;

export function useStats(options: Options = {}): Resource<Stats> {
  const stats = useResource("stats", (signal) => get("/api/dashboard/stats", undefined, undefined, signal), {
    ...options,
    newEnough: NEW_ENOUGH_SECONDS,
  });
  if (stats.data) takeCurrencyOf(stats.data);
  return stats;
}
