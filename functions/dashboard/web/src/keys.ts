/** Keys of one letter. They are for the page, not for a field that somebody types in. */
import { useEffect, useRef } from "preact/hooks";

export type Keys = Record<string, (event: KeyboardEvent) => void>;

/**
 * Calls what `keys` name while the component is shown; in a field, in a dialog and with Ctrl they mean nothing.
 *
 * Enter on a link or a button is that one's.
 */
export function useKeys(keys: Keys): void {
  const current = useRef(keys);
  current.current = keys;
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || target.closest("dialog")) return;
      if (target.matches("input:not([type=checkbox]), textarea, select")) return;
      if (event.key === "Enter" && target.closest("a, button, summary")) return;
      const action = current.current[event.key];
      if (!action) return;
      event.preventDefault();
      action(event);
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
}
