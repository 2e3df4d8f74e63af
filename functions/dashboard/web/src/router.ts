/** Where in the page somebody is. It stands behind the `#` of the address, so that every place can be sent to others. */
import { Store, useStore } from "./store";

export interface Place {
  /** The parts of the path: `["customers", "C-1"]`. */
  path: string[];
  query: URLSearchParams;
}

/** Returns a part of an address as it was meant; as it stands, if a person has written a `%` into it. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function here(): Place {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

export const place = new Store<Place>(here());
window.addEventListener("hashchange", () => place.set(here()));

/** Returns the link of a place; what is undefined or empty is left out of the query. */
export function link(path: string[], query: Record<string, string | undefined> = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) parameters.set(name, value);
  const text = parameters.toString().replace(/%2C/g, ",");
  return `#/${path.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

export function go(target: string): void {
  location.hash = target;
}

/** Changes the address without a new entry in the history. */
export function replace(target: string): void {
  history.replaceState(null, "", target);
  place.set(here());
}

export function usePlace(): Place {
  return useStore(place);
}

/** Returns the place of the page that shows what a link of the API leads to: a list of customers or alerts, a model. */
export function placeOf(apiLink: string | null | undefined): string | undefined {
  const found = /^\/api\/(customers|alerts|models)(?:\/([^?]+?))?(?:\/report)?(?:\?(.*))?$/.exec(
    apiLink ?? "",
  );
  if (!found) return undefined;
  const [, kind = "", id, query] = found;
  return `#/${kind === "models" ? "model" : kind}${id ? `/${id}` : ""}${query ? `?${query}` : ""}`;
}
