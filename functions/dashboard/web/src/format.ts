/** Numbers, money and times as people say them, in the reader's own zone. Unknown is a word, never 0. */
export const UNKNOWN = "not known";
export const LANGUAGE = "en-GB";
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// The document tells the shop's, so that no sum ever stands in another.
let currency = document.querySelector<HTMLMetaElement>("meta[name=churn-currency]")?.content || "EUR";

/** Sets the currency of all sums: the shop's. */
export function takeCurrencyOf(shop: { currency: string }): void {
  currency = shop.currency;
}

// Signs of several currencies, each with the one that it stands for here; the others keep their letters.
const SHARED_SIGNS: Record<string, string> = { $: "USD", "¥": "JPY", "£": "GBP", "₩": "KRW", kr: "", Rs: "" };
const WHOLE = { maximumFractionDigits: 0 };

function amount(value: number, options: Intl.NumberFormatOptions): string {
  // A sum that is rounded to 0 has no sign.
  const base = { style: "currency", currency, signDisplay: "negative", ...options } as const;
  const short = new Intl.NumberFormat(LANGUAGE, { ...base, currencyDisplay: "narrowSymbol" });
  const sign = short.formatToParts(0).find((part) => part.type === "currency")?.value ?? "";
  const isPlain = (SHARED_SIGNS[sign] ?? currency) === currency;
  return (isPlain ? short : new Intl.NumberFormat(LANGUAGE, base)).format(value);
}

/** Money, rounded to its size: 18,400 · 630 · 12.50, with the decimals of the currency. */
export function money(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  const size = Math.abs(value);
  const step = size >= 100_000 ? 1000 : size >= 10_000 ? 100 : size >= 1000 ? 10 : 1;
  return size < 100 && size > 0 ? amount(value, {}) : amount(Math.round(value / step) * step, WHOLE);
}

const LARGE = 10_000_000;

/** Money as a large figure: whole units, in short where it is large; `exact` has all digits of what is in short. */
export function moneyFigure(value: number | null | undefined): { text: string; exact?: string } {
  if (value === null || value === undefined) return { text: UNKNOWN };
  if (value > 0 && value < 1) return { text: `under ${amount(1, WHOLE)}` };
  if (Math.abs(value) < LARGE) return { text: Math.abs(value) < 100 ? amount(value, WHOLE) : money(value) };
  const short = amount(value, { notation: "compact", minimumFractionDigits: 0, maximumSignificantDigits: 4 });
  return { text: short, exact: amount(value, WHOLE) };
}

/** A probability in per cent, with two significant digits at most and never a certainty. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return UNKNOWN;
  if (share > 0.99) return "over 99%";
  if (share < 0.01) return "under 1%";
  return `${Math.round(share * 100)}%`;
}

/** A share that was counted, in per cent. */
export function share(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : `${Math.round(value * 100)}%`;
}

/** What a probability means. */
export function inTen(share: number): string {
  const tenth = Math.round(share * 10);
  if (tenth >= 10) return "nearly all like them leave";
  if (tenth <= 0) return "hardly anybody like them leaves";
  return `about ${tenth} in 10 like them leave`;
}

/** A change in percentage points, with its sign. */
export function points(change: number): string {
  const rounded = Math.round(change * 100);
  if (rounded === 0) return "0";
  return `${rounded > 0 ? "+" : "−"}${Math.abs(rounded)}`;
}

/** A change with its unit: `+1 point`, `−2 points`. */
export function inPoints(change: number): string {
  return `${points(change)} ${Math.abs(Math.round(change * 100)) === 1 ? "point" : "points"}`;
}

export function count(value: number | null | undefined): string {
  return value === null || value === undefined
    ? UNKNOWN
    : new Intl.NumberFormat(LANGUAGE, { ...WHOLE, signDisplay: "negative" }).format(value);
}

/** `1 customer`, `2 customers`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A number of days as people say it. */
export function days(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  if (value < 1) return "today";
  if (value < 365) return plural(Math.floor(value), "day");
  const years = Math.round((value / 365.25) * 2) / 2;
  return `${years.toLocaleString(LANGUAGE)} ${years === 1 ? "year" : "years"}`;
}

/** How long ago an instant was. */
export function ago(instant: string | number, now = Date.now()): string {
  const seconds = (now - new Date(instant).getTime()) / 1000;
  if (seconds < 0) return `in ${span(-seconds)}`;
  return seconds < 45 ? "just now" : `${span(seconds)} ago`;
}

function span(seconds: number): string {
  if (seconds < 90 * MINUTE) return `${Math.max(1, Math.round(seconds / MINUTE))} min`;
  if (seconds < 36 * HOUR) return `${Math.round(seconds / HOUR)} h`;
  return plural(Math.round(seconds / DAY), "day");
}

const FULL = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "short" });
const DATE = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short" });
const DATE_OF_YEAR = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short", year: "numeric" });

/** The instant itself, for whoever wants to know exactly. */
export function exactly(instant: string | number): string {
  return FULL.format(new Date(instant));
}

/** The day, with its year unless it is this one. */
export function day(instant: string | number): string {
  const date = new Date(instant);
  return (date.getFullYear() === new Date().getFullYear() ? DATE : DATE_OF_YEAR).format(date);
}

const UTC_DATE = new Intl.DateTimeFormat(LANGUAGE, {
  day: "numeric",
  month: "short",
  year: "numeric",
  timeZone: "UTC",
});

/** A day as the shop counts it, which begins at midnight UTC: `2026-01-31`. */
export function dayOfShop(day: string): string {
  const date = new Date(day);
  return Number.isNaN(date.getTime()) ? day : UTC_DATE.format(date);
}

const TIME = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit" });

export function timeOfDay(instant: string | number): string {
  return TIME.format(new Date(instant));
}
