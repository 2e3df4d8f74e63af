/** Which customers a list shows, as it stands in the address, and as a reader says it. */
import type { CustomersQuery, CustomerSort, NewSegment, Segment } from "../../api/types";
import { dayOfShop, days, exactly, money, percent } from "../../format";
import { instantOf, numberOf, oneOf } from "../../values";
import { LEVEL_WORDS, STATUS_WORDS } from "../../words";

type Kind = "words" | "list" | "number" | "yes-no" | "instant" | "day";

const KINDS = {
  search: "words",
  segment: "words",
  status: "list",
  risk_level: "list",
  has_open_alert: "yes-no",
  changed_since: "instant",
  lapsed_since: "instant",
  lapsed_until: "instant",
  first_order_from: "day",
  first_order_to: "day",
  ordered_again_from: "day",
  ordered_again_to: "day",
  min_churn_probability: "number",
  max_churn_probability: "number",
  min_value_at_risk: "number",
  max_value_at_risk: "number",
  min_total_spent: "number",
  max_total_spent: "number",
  min_total_orders: "number",
  max_total_orders: "number",
  min_days_since_last_order: "number",
  max_days_since_last_order: "number",
  min_account_age_days: "number",
  max_account_age_days: "number",
  min_value_ratio: "number",
  min_days_at_risk: "number",
  max_days_at_risk: "number",
  min_days_since_return: "number",
  max_days_since_return: "number",
} satisfies Partial<Record<keyof CustomersQuery, Kind>>;

export type FilterName = keyof typeof KINDS;
export const FILTER_NAMES = Object.keys(KINDS) as FilterName[];
export const SORTS: Record<CustomerSort, string> = {
  value_at_risk: "value at risk",
  churn_probability: "risk",
  risk_change_7d: "change in 7 days",
  expected_spend: "expected spend",
  total_spent: "total spent",
  days_since_last_order: "last order",
  customer_id: "customer id",
};

/** Returns the API's query for what stands in the address; what it does not know is left to the API to refuse. */
export function queryOf(address: URLSearchParams): CustomersQuery {
  const query: Record<string, unknown> = {
    sort: address.get("sort") ?? "value_at_risk",
    order: address.get("order") ?? "desc",
  };
  for (const name of FILTER_NAMES) {
    const text = address.get(name);
    if (text) query[name] = KINDS[name] === "list" ? text.split(",") : text;
  }
  return query;
}

/** Returns the filters of a segment as an address has them. */
export function addressOf(filter: Segment["filter"]): Record<string, string> {
  const query: Record<string, string> = {};
  for (const name of FILTER_NAMES) {
    const value = filter[name] as string | number | boolean | string[] | undefined;
    if (value !== undefined) query[name] = Array.isArray(value) ? value.join(",") : String(value);
  }
  return query;
}

/** Returns the filters of an address as a segment keeps them. */
export function filterOf(address: URLSearchParams): NewSegment["filter"] {
  const filter: Record<string, unknown> = {};
  for (const name of FILTER_NAMES) {
    const text = address.get(name);
    if (text) filter[name] = typed(text, KINDS[name]);
  }
  return filter;
}

function typed(text: string, kind: Kind): unknown {
  switch (kind) {
    case "list":
      return text.split(",");
    case "number":
      return Number(text);
    case "yes-no":
      return text === "true";
    default:
      return text;
  }
}

export interface Chip {
  names: FilterName[];
  text: string;
}

const RANGES: [FilterName, FilterName, (value: number) => string, string][] = [
  ["min_churn_probability", "max_churn_probability", percent, "risk"],
  ["min_value_at_risk", "max_value_at_risk", money, "value at risk"],
  ["min_total_spent", "max_total_spent", money, "spent"],
  ["min_total_orders", "max_total_orders", String, "orders"],
  ["min_days_since_last_order", "max_days_since_last_order", days, "silent for"],
  ["min_account_age_days", "max_account_age_days", days, "customer for"],
  ["min_days_at_risk", "max_days_at_risk", days, "at risk for"],
  ["min_days_since_return", "max_days_since_return", days, "back for"],
];

const SPANS: [FilterName, FilterName, string][] = [
  ["first_order_from", "first_order_to", "first order"],
  ["ordered_again_from", "ordered_again_to", "ordered again"],
];

/** Returns the filters of an address, each as a part of a sentence. */
export function chipsOf(address: URLSearchParams): Chip[] {
  const value = (name: FilterName): string => address.get(name) ?? "";
  const chips: Chip[] = [];
  const add = (names: FilterName[], say: (text: string) => string): void => {
    const text = names.map(value).find(Boolean);
    if (text) chips.push({ names, text: say(text) });
  };
  add(["status"], (codes) => words(codes, { ...STATUS_WORDS, current: "Current" }));
  add(["risk_level"], (codes) => `${words(codes, LEVEL_WORDS).toLowerCase()} risk`);
  for (const [least, most, show, what] of RANGES) {
    add([least, most], () => `${what} ${bounds(value(least), value(most), show)}`);
  }
  add(
    ["has_open_alert"],
    (text) => ALERT_WORDS[oneOf(text, ["true", "false"]) ?? ""] ?? `open alert ${text}`,
  );
  add(["changed_since"], (text) => `scored since ${instant(text)}`);
  add(["lapsed_since", "lapsed_until"], (text) =>
    value("lapsed_since") ? `lapsed since ${instant(text)}` : `lapsed until ${instant(text)}`,
  );
  for (const [first, last, what] of SPANS) {
    add([first, last], () => `${what} ${span(value(first), value(last))}`);
  }
  add(["min_value_ratio"], (ratio) => `value at risk ${number(ratio, String)} times the average or more`);
  add(["search"], (text) => `“${text}”`);
  return chips;
}

const ALERT_WORDS: Record<string, string> = { true: "with an open alert", false: "without an open alert" };

// What is none of what it should be stands as it was written; the API refuses it.
function instant(text: string): string {
  const date = instantOf(text);
  return date ? exactly(date.getTime()) : `“${text}”`;
}

function number(text: string, show: (value: number) => string): string {
  const value = numberOf(text);
  return value === undefined ? `“${text}”` : show(value);
}

function span(first: string, last: string): string {
  if (first && last) return `from ${dayOfShop(first)} to ${dayOfShop(last)}`;
  return first ? `from ${dayOfShop(first)} on` : `until ${dayOfShop(last)}`;
}

function bounds(low: string, high: string, show: (value: number) => string): string {
  if (low && high) return `${number(low, show)} to ${number(high, show)}`;
  return low ? `${number(low, show)} or more` : `up to ${number(high, show)}`;
}

function words(list: string, known: Record<string, string>): string {
  return list
    .split(",")
    .map((code) => known[code] ?? code)
    .join(" or ");
}

/** Returns the address with some values set anew; an empty one is taken out, as is the place in the list. */
export function changed(address: URLSearchParams, values: Partial<Record<string, string>>): string {
  const next = new URLSearchParams(address);
  next.delete("row");
  next.delete("focus");
  for (const [name, value] of Object.entries(values)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  const text = next.toString().replace(/%2C/g, ",");
  return `#/customers${text ? `?${text}` : ""}`;
}
