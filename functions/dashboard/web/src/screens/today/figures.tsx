/** The four figures of the day, each with its change, each a link to the rows that it counts. */
import type { JSX } from "preact";
import type { Stats, Trend } from "../../api/types";
import { Figure } from "../../components/figure";
import { count, moneyFigure, UNKNOWN } from "../../format";
import { placeOf } from "../../router";

const WEEK = 7;
const MONTH = 30;

interface Props {
  stats: Stats;
  /** Undefined while they are not known. */
  trends: Trend[] | undefined;
  /** Whether they could not be had. */
  isWithout: boolean;
}

export function Figures({ stats, trends, isWithout }: Props): JSX.Element {
  const compared = (days: number, say: (then: Trend | undefined) => string): string =>
    trends ? say(trends.at(-1 - days)) : isWithout ? "the figure of before could not be had" : "\u00a0";
  const { links } = stats;
  const risk = moneyFigure(stats.revenue_at_risk);
  return (
    <div class="today-figures">
      <Opened
        name="Value at risk"
        value={risk.text}
        exact={risk.exact}
        target={links.revenue_at_risk}
        note={
          stats.revenue_at_risk === null
            ? "known once orders with amounts have come"
            : "of what current customers would spend"
        }
      />
      <Opened
        name="Likely to leave"
        value={count(stats.high_risk_customers)}
        target={links.high_risk_customers}
        note={compared(WEEK, (then) =>
          difference(stats.high_risk_customers, then?.high_risk_customers, "than a week ago", count, "fewer"),
        )}
      />
      <Opened
        name="Left in 30 days"
        value={stats.churn_rate === null ? UNKNOWN : oneDigit(stats.churn_rate)}
        target={links.churn_rate}
        note={compared(MONTH, (then) =>
          difference(
            stats.churn_rate,
            then?.churn_rate,
            "than 30 days before",
            (points) => `${points.toFixed(1)} points`,
          ),
        )}
      />
      <Opened
        name="Alerts today"
        value={count(stats.alerts_today)}
        target={links.alerts_today}
        note={`${count(stats.resolved_alerts)} dealt with since the start`}
      />
    </div>
  );
}

function oneDigit(percent: number): string {
  return `${percent.toFixed(1)}%`;
}

/** Returns in words how a figure differs from that of before. */
function difference(
  now: number | null,
  then: number | null | undefined,
  than: string,
  show: (size: number) => string,
  less = "less",
): string {
  if (now === null) return "known once customers have been here for 30 days";
  if (then === null || then === undefined) return "no figure to compare with";
  const change = now - then;
  if (Math.abs(change) < 0.05)
    return `${less === "fewer" ? "as many" : "as much"} ${than.replace("than ", "as ")}`;
  return `${show(Math.abs(change))} ${change > 0 ? "more" : less} ${than}`;
}

interface OpenedProps {
  name: string;
  value: string;
  exact?: string | undefined;
  note: string;
  target: string;
}

function Opened({ target, ...figure }: OpenedProps): JSX.Element {
  return (
    <a class="card figure" href={placeOf(target)}>
      <Figure {...figure} />
    </a>
  );
}
