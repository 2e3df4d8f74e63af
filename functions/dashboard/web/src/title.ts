/** The title of the tab: what is shown, with the number of alerts that nobody has looked at. */
import { useEffect } from "preact/hooks";
import { Store } from "./store";

/** What a screen shows, where that has a name of its own; empty otherwise. */
export const subject = new Store("");

/** Names what a screen shows, as long as it is shown. */
export function useTitle(name: string): void {
  useEffect(() => {
    subject.set(name);
    return () => subject.set("");
  }, [name]);
}
