/** Why the risk is what it is, and what to do about it. */
import type { JSX } from "preact";
import type { CustomerDetail, Driver, RecommendedAction } from "../../api/types";
import { Empty } from "../../components/notes";
import { SignedBars } from "../../components/signed-bars";
import { money, percent } from "../../format";

export function Why({ customer }: { customer: CustomerDetail }): JSX.Element {
  const { drivers, other_contributions: others, base_probability: base, churn_probability: risk } = customer;
  return (
    <section class="card">
      <header>
        <h2>Why</h2>
        {base !== null ? <span class="muted small">the average customer: {percent(base)}</span> : null}
      </header>
      {drivers.length ? (
        <>
          <SignedBars
            bars={[
              ...drivers.map(bar),
              ...(others ? [{ key: "others", words: "Everything else", effect: others }] : []),
            ]}
          />
          <p class="muted small sum">
            In points of risk. From the average customer’s {percent(base)} they lead to {percent(risk)}.
          </p>
        </>
      ) : (
        <Empty title="No reasons are known yet.">
          They come with the first score: as soon as an event of this customer arrives.
        </Empty>
      )}
    </section>
  );
}

function bar(driver: Driver): { key: string; words: string; effect: number } {
  // The sentence ends with the points, which stand beside it.
  const words = driver.sentence.replace(/: this (raises|lowers) the risk by .*$/, "");
  return { key: driver.feature, words, effect: driver.contribution };
}

export function WhatToDo({ actions }: { actions: RecommendedAction[] }): JSX.Element {
  return (
    <section class="card">
      <header>
        <h2>What to do</h2>
        {actions.length ? <span class="muted small">and what it is worth</span> : null}
      </header>
      {actions.length ? (
        <ol class="actions">
          {actions.map((action) => (
            <li key={action.code}>
              <div class="words">
                <strong>{action.text}</strong>
                <span>{money(action.expected_value)}</span>
              </div>
              <p class="muted small">
                {action.reason.replace(/: this (raises|lowers) the risk by .*$/, ".")}
              </p>
            </li>
          ))}
        </ol>
      ) : (
        <Empty title="Nothing for now.">Nothing stands out that would be worth an effort.</Empty>
      )}
    </section>
  );
}
