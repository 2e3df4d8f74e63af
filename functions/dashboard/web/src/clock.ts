/** The passing of time, in which what is shown grows old. */
import { useEffect, useState } from "preact/hooks";

const TICK_MS = 15_000;

/** Renders anew as time passes, so that "just now" becomes "1 min ago". */
export function useClock(): void {
  const [, setTurn] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTurn((turn) => turn + 1), TICK_MS);
    return () => clearInterval(timer);
  }, []);
}
