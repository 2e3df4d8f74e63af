/** One customer: how likely they are to leave, why, what to do, and what happened. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../../api/client";
import type { CustomerDetail } from "../../api/types";
import { Figure } from "../../components/figure";
import { Icon } from "../../components/icons";
import { Problem, Waiting } from "../../components/notes";
import { Risk } from "../../components/risk";
import { useResource } from "../../data";
import { ago, days, exactly, inTen, money, moneyFigure, percent, points, UNKNOWN } from "../../format";
import { useKeys } from "../../keys";
import { followPredictions } from "../../live";
import { may } from "../../session";
import { useStore } from "../../store";
import { useTitle } from "../../title";
import { STATUS_WORDS } from "../../words";
import { listAt } from "../customers/pages";
import { NotesCard } from "./notes";
import { RiskOverTime } from "./risk-over-time";
import "./screen.css";
import { TimelineCard } from "./timeline";
import { WhatIf } from "./what-if";
import { WhatToDo, Why } from "./why";

export function CustomerScreen({ id }: { id: string }): JSX.Element {
  const customer = useResource(`customer ${id}`, (signal) => readCustomer(id, signal), {
    topics: ["predictions", "alerts", "model"],
    every: 60,
  });
  useEffect(() => followPredictions(id), [id]);
  useTitle(customer.data?.name ?? id);
  const [asksWhatIf, setAsksWhatIf] = useState(false);
  const note = useRef<HTMLTextAreaElement>(null);
  const [noted, setNoted] = useState(0);
  const known = customer.data;
  const isNobody = customer.error?.status === 404;
  useKeys({
    w: () => {
      if (known && may("predict")) setAsksWhatIf(true);
    },
    n: () => note.current?.focus(),
    Backspace: () => history.back(),
  });
  if (!known) {
    return (
      <>
        <Back />
        {customer.error ? (
          <header>
            <h1>{isNobody ? `There is no customer ${id}.` : `Customer ${id}`}</h1>
          </header>
        ) : null}
        {isNobody ? (
          <p>They may have been erased, or no event of theirs has come yet.</p>
        ) : customer.error ? (
          <Problem error={customer.error} what="this customer" onRetry={customer.reload} />
        ) : (
          <Waiting height={520} what="the customer" />
        )}
      </>
    );
  }
  return (
    <>
      <Back />
      <Header customer={known} onWhatIf={() => setAsksWhatIf(true)} />
      <Figures customer={known} />
      <div class="customer">
        <div class="stack">
          <Why customer={known} />
          <WhatToDo actions={known.recommended_actions} />
          <NotesCard id={id} field={note} onChange={() => setNoted((number) => number + 1)} />
        </div>
        <div class="stack">
          <RiskOverTime id={id} />
          <TimelineCard id={id} changes={noted} />
        </div>
      </div>
      {asksWhatIf ? <WhatIf customer={known} onClose={() => setAsksWhatIf(false)} /> : null}
    </>
  );
}

async function readCustomer(id: string, signal: AbortSignal): Promise<CustomerDetail> {
  const answer = await get("/api/customers/{customer_id}", undefined, { customer_id: id }, signal);
  // Of an instant of before (`as_of`) it would be another type.
  return answer as CustomerDetail;
}

/** Leads to the list, to where the reader stood in it. */
function Back(): JSX.Element {
  return (
    <a class="back muted" href={useStore(listAt)}>
      <Icon name="back" />
      Customers
    </a>
  );
}

function Header({ customer, onWhatIf }: { customer: CustomerDetail; onWhatIf: () => void }): JSX.Element {
  const { email, phone, address } = customer;
  const place = typeof address?.city === "string" ? address.city : undefined;
  const contact = [customer.customer_id, email, phone, place].filter(Boolean);
  return (
    <header class="customer-head">
      <div>
        <h1>{headline(customer)}</h1>
        <p class="muted">
          {contact.join(" · ")} · customer for {days(customer.account_age_days)} ·{" "}
          {STATUS_WORDS[customer.status].toLowerCase()} · <Scored at={customer.last_prediction_at} />
        </p>
      </div>
      {may("predict") && customer.churn_probability !== null ? (
        <button type="button" class="button main" onClick={onWhatIf}>
          What if …
        </button>
      ) : null}
    </header>
  );
}

function Scored({ at }: { at: string | null }): JSX.Element {
  return at ? <span title={exactly(at)}>scored {ago(at)}</span> : <>not scored yet</>;
}

// Below it the gap that is usual, which it tells to a hundredth, would be too rough.
const LEAST_OVERDUE = 0.2;

/** Says how the customer stands in a sentence: "Sofia has not ordered for 74 days; about every 21 is usual for them." */
function headline(customer: CustomerDetail): string {
  const name = customer.name ?? customer.customer_id;
  const { days_since_last_order: silent, overdue_factor: overdue, total_orders: orders } = customer;
  if (silent === null) return `${name} has not ordered yet.`;
  if (silent < 1) return `${name} has ordered today.`;
  const said = `${name} has not ordered for ${days(silent)}`;
  if (overdue === null || overdue < LEAST_OVERDUE || orders === null || orders < 3) return `${said}.`;
  const usual = days(Math.max(1, Math.round(silent / overdue))).replace(/^1 day$/, "day");
  return `${said}; about every ${usual} is usual for them.`;
}

const SOURCES = {
  shop: "",
  simulated: "; learned from a simulated shop",
  prior: "; from what is usual for shops",
};

function Figures({ customer }: { customer: CustomerDetail }): JSX.Element {
  const { churn_probability: risk, probability_interval: interval, risk_change_7d: change } = customer;
  const { risk_percentile: rank } = customer;
  const certainty = interval ? `; between ${percent(interval.low)} and ${percent(interval.high)}` : "";
  const source = customer.model_source ? SOURCES[customer.model_source] : "";
  const value = moneyFigure(customer.value_at_risk);
  return (
    <div class="figures card">
      <div class="figure">
        <Figure
          name="Risk of leaving"
          value={percent(risk)}
          note={risk === null ? "" : `${inTen(risk)}${certainty}${source}`}
        >
          {risk === null ? null : <Risk level={customer.risk_level} />}
        </Figure>
      </div>
      <div class="figure">
        <Figure
          name="Value at risk"
          value={value.text}
          exact={value.exact}
          note={risk === null ? "" : spendWords(customer)}
        />
      </div>
      <div class="figure">
        <Figure
          name="Change in 7 days"
          value={change === null ? UNKNOWN : points(change)}
          note={change === null ? "no score of a week ago" : "in points of risk"}
        />
      </div>
      <div class="figure">
        <Figure
          name="Among all"
          value={rank === null ? UNKNOWN : percent(rank / 100)}
          note={rank === null ? "" : "of your customers are at less or equal risk"}
        />
      </div>
    </div>
  );
}

/** Says what the value at risk is made of. */
function spendWords({ expected_spend: spend }: CustomerDetail): string {
  return spend === null
    ? "what they would spend is not known"
    : `the risk times what one like them spends who orders again; expected, with the risk counted: ${money(spend)}`;
}
