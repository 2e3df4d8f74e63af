/** "What if": sliders take the place of what is known, and the model answers as they move. Nothing of it is stored. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { post } from "../../api/client";
import type { CustomerDetail, ImpliedChange, PredictionAnswer } from "../../api/types";
import { Dialog } from "../../components/dialog";
import { Risk } from "../../components/risk";
import { SignedBars } from "../../components/signed-bars";
import { count, money, percent, inPoints, plural, share, UNKNOWN } from "../../format";
import { useNewest } from "../../newest";
import { FEATURE_WORDS, type FeatureName } from "../../words";

interface Slider {
  name: FeatureName;
  /** The least that the slider reaches to; twice what is known if that is more. */
  reach: number;
  step: number;
  show: (value: number) => string;
}

const SLIDERS: Slider[] = [
  { name: "days_since_last_order", reach: 120, step: 1, show: count },
  { name: "login_frequency", reach: 20, step: 1, show: count },
  { name: "email_engagement", reach: 1, step: 0.05, show: share },
  { name: "payment_failures", reach: 5, step: 1, show: count },
  { name: "support_tickets", reach: 5, step: 1, show: count },
  { name: "product_returns", reach: 5, step: 1, show: count },
  { name: "total_orders", reach: 20, step: 1, show: count },
  { name: "avg_order_value", reach: 100, step: 1, show: money },
  { name: "discount_usage", reach: 1, step: 0.05, show: share },
  { name: "loyalty_points", reach: 1000, step: 10, show: count },
];

type Values = Partial<Record<FeatureName, number>>;

export function WhatIf({
  customer,
  onClose,
}: {
  customer: CustomerDetail;
  onClose: () => void;
}): JSX.Element {
  const [values, setValues] = useState<Values>({});
  const { answer, error } = useNewest(JSON.stringify(values), (asked) =>
    post("/api/churn/predict", {
      customer_id: customer.customer_id,
      ...(JSON.parse(asked) as Values),
    }),
  );
  const set = (name: FeatureName, value: number | null): void =>
    setValues((before) => {
      const others = Object.entries(before).filter(([other]) => other !== name);
      return Object.fromEntries(value === null ? others : [...others, [name, value]]);
    });
  return (
    <Dialog title="What if" isDrawer onClose={onClose}>
      <Outcome customer={customer} answer={answer} hasChanges={Object.keys(values).length > 0} />
      {error ? <p role="alert">{error.message}</p> : null}
      <form class="sliders" onSubmit={(event) => event.preventDefault()}>
        {SLIDERS.map((slider) => (
          <SliderRow
            key={slider.name}
            slider={slider}
            stored={customer[slider.name]}
            given={values[slider.name]}
            onSet={set}
          />
        ))}
      </form>
      <div class="row">
        <button type="button" class="button" onClick={() => setValues({})}>
          Back to what is known
        </button>
      </div>
    </Dialog>
  );
}

interface OutcomeProps {
  customer: CustomerDetail;
  answer: PredictionAnswer | null;
  hasChanges: boolean;
}

function Outcome({ customer, answer, hasChanges }: OutcomeProps): JSX.Element {
  const risk = answer ? answer.churn_probability : customer.churn_probability;
  const whatIf = hasChanges ? answer?.what_if : undefined;
  const bars = whatIf?.changes.flatMap((change) =>
    "feature" in change
      ? [{ key: change.feature, words: FEATURE_WORDS[change.feature as FeatureName], effect: change.effect }]
      : [],
  );
  return (
    <div class="outcome" aria-live="polite">
      <div class="row">
        <strong class="big">{percent(risk)}</strong>
        <Risk level={answer ? answer.risk_level : customer.risk_level} />
        <span class="muted">
          {whatIf ? `${inPoints(whatIf.change)}, from ${percent(whatIf.churn_probability)}` : "as things are"}
          {whatIf && whatIf.days_later >= 1
            ? `, ${plural(Math.round(whatIf.days_later), "day")} from now`
            : null}
        </span>
      </div>
      {bars?.length ? (
        <SignedBars bars={bars} />
      ) : (
        <p class="muted small">Move a slider: the model answers at once, and nothing is stored.</p>
      )}
      {whatIf?.surprise ? <p class="small">{whatIf.surprise}</p> : null}
      {whatIf?.implied.length ? (
        <p class="muted small">Moves with it: {whatIf.implied.map(inWords).join(", ")}</p>
      ) : null}
    </div>
  );
}

function inWords(moved: ImpliedChange): string {
  const name = moved.feature as FeatureName;
  return `${FEATURE_WORDS[name]} ${shown(name, moved.stored)} → ${shown(name, moved.becomes)}`;
}

function shown(name: FeatureName, value: number | null): string {
  return value === null ? UNKNOWN : (SLIDERS.find((slider) => slider.name === name)?.show ?? count)(value);
}

const TO_THE_BEGINNING = ["Home", "ArrowLeft", "ArrowDown", "PageDown"];

interface SliderProps {
  slider: Slider;
  stored: number | null;
  given: number | undefined;
  onSet: (name: FeatureName, value: number | null) => void;
}

function SliderRow({ slider, stored, given, onSet }: SliderProps): JSX.Element {
  const { name, reach, step, show } = slider;
  const most = reach === 1 ? 1 : Math.ceil(Math.max(reach, (stored ?? 0) * 2));
  const isChanged = given !== undefined;
  const known = given ?? stored;
  // Where nothing is known the slider stands nowhere, so going to where it begins is no change that it would tell.
  const begin = (slider: HTMLInputElement): void => {
    if (known === null) onSet(name, Number(slider.value));
  };
  return (
    <label class={`slider${isChanged ? " changed" : ""}`}>
      <span class="words">
        <span>{FEATURE_WORDS[name]}</span>
        <span>
          {isChanged ? <b>{show(given)}</b> : null}{" "}
          <span class="muted">
            {isChanged
              ? `was ${stored === null ? UNKNOWN : show(stored)}`
              : stored === null
                ? UNKNOWN
                : show(stored)}
          </span>
        </span>
      </span>
      <input
        type="range"
        class={known === null ? "unset" : ""}
        min="0"
        max={most}
        step={step}
        value={known ?? 0}
        aria-valuetext={known === null ? UNKNOWN : show(known)}
        onInput={(event) => onSet(name, Number(event.currentTarget.value))}
        onClick={(event) => begin(event.currentTarget)}
        onKeyDown={(event) => {
          if (TO_THE_BEGINNING.includes(event.key)) begin(event.currentTarget);
        }}
        onDblClick={() => onSet(name, null)}
      />
    </label>
  );
}
