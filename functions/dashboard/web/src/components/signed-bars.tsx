/** What raises and what lowers a risk, as bars to both sides of a line, each with its words. */
import type { JSX } from "preact";
import { points } from "../format";

export interface SignedBar {
  key: string;
  words: string;
  /** Signed, as a share: 0.23 is 23 points. */
  effect: number;
}

export function SignedBars({ bars }: { bars: SignedBar[] }): JSX.Element {
  const largest = Math.max(0.01, ...bars.map((bar) => Math.abs(bar.effect)));
  return (
    <ul class="signed">
      {bars.map((bar) => {
        const width = `${(Math.abs(bar.effect) / largest) * 50}%`;
        const raises = bar.effect > 0;
        return (
          <li key={bar.key}>
            <div class="words">
              <span>{bar.words}</span>
              <b>{points(bar.effect)}</b>
            </div>
            <div class="track" aria-hidden="true">
              <i
                class={raises ? "raises" : "lowers"}
                style={raises ? { left: "50%", width } : { right: "50%", width }}
              />
            </div>
          </li>
        );
      })}
    </ul>
  );
}
