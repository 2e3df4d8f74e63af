/** The current customers by risk: bars from 0, each of which opens the list with exactly that many. */
import type { JSX } from "preact";
import type { Stats } from "../../api/types";
import { RiskShape } from "../../components/risk";
import { count } from "../../format";
import { placeOf } from "../../router";
import { LEVELS, LEVEL_WORDS } from "../../words";

export function Distribution({ stats }: { stats: Stats }): JSX.Element {
  const { risk_distribution: customers, links } = stats;
  const most = Math.max(1, ...LEVELS.map((level) => customers[level]));
  return (
    <section class="card">
      <header>
        <h2>Current customers by risk</h2>
      </header>
      <ul class="distribution">
        {LEVELS.map((level) => (
          <li key={level}>
            <a href={placeOf(links.risk_distribution[level])}>
              <span class={`risk ${level}`}>
                <RiskShape level={level} />
                {LEVEL_WORDS[level]}
              </span>
              <span class="track" aria-hidden="true">
                {customers[level] ? (
                  <i class={`fill ${level}`} style={{ width: `${(customers[level] / most) * 100}%` }} />
                ) : null}
              </span>
              <span class="number">{count(customers[level])}</span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
