/** A risk: a shape, a word and a colour, so that none of them stands alone. */
import type { JSX } from "preact";
import type { RiskLevel } from "../api/types";
import { percent, UNKNOWN } from "../format";
import { LEVEL_WORDS } from "../words";

const SHAPES: Record<RiskLevel, JSX.Element> = {
  low: <circle cx="5" cy="5" r="3" />,
  medium: <rect x="1.5" y="1.5" width="7" height="7" />,
  high: <path d="M5 .5 9.8 9H.2z" />,
  critical: <path d="M5 0l5 5-5 5-5-5z" />,
};

export function RiskShape({ level }: { level: RiskLevel }): JSX.Element {
  return (
    <svg viewBox="0 0 10 10" aria-hidden="true">
      {SHAPES[level]}
    </svg>
  );
}

interface Props {
  level: RiskLevel | null;
  probability?: number | null;
}

/** The level, with the probability if it is given. */
export function Risk({ level, probability }: Props): JSX.Element {
  if (!level) return <span class="risk unknown">{UNKNOWN}</span>;
  return (
    <span class={`risk ${level}`}>
      <RiskShape level={level} />
      {LEVEL_WORDS[level]}
      {probability === undefined || probability === null ? null : (
        <span class="muted"> {percent(probability)}</span>
      )}
    </span>
  );
}
