/** The report of a training, as far as the page draws it; a shop that is too young for a forest has a shorter one. */
import { address, send } from "../../api/client";

export type Figures = Record<string, number | null>;
export interface Slice {
  customers: number;
  churned?: number;
  figures?: Figures;
  intervals?: Record<string, [number | null, number | null]>;
}
export interface Effect {
  feature: string;
  importance: number;
  curve: { value: number | null; points: number }[];
}
export interface Report {
  version: string;
  customers: number;
  churned?: number;
  forest?: Figures;
  intervals?: Record<string, Record<string, [number | null, number | null]> | undefined>;
  reliability?: { count: number; predicted: number; observed: number }[];
  deciles?: { share: number; lift: number | null; capture: number | null }[];
  slices?: Record<string, Slice>;
  effects?: Effect[];
  change?: string[];
  why?: string;
  [model: string]: unknown;
}

export const COMPARED: Record<string, string> = {
  forest: "This version",
  current: "The version in use then",
  boosting: "Gradient boosting",
  logistic: "Logistic regression",
  purchases: "Rhythm of orders alone",
  recency: "Days since last order alone",
};

export const SLICES: Record<string, string> = {
  one_time: "Customers of one order",
  repeat: "Customers of several orders",
  new: "Known for less than 30 days",
  high_value: "The tenth who spent most",
};

/** Returns the report of a version. Throws ApiError. */
export async function readReport(version: string, signal: AbortSignal): Promise<Report> {
  const target = address("/api/models/{version}/report", { version }, { format: "json" });
  return (await (await send("get", target, { signal })).json()) as Report;
}
