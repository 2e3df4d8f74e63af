/** The form of the filters; what is set holds at once and stands in the address. */
import type { JSX } from "preact";
import { Dialog } from "../../components/dialog";
import { useDraft } from "../../components/draft";
import { LEVELS, LEVEL_WORDS, STATUS_WORDS } from "../../words";
import type { FilterName } from "./filters";

interface Props {
  address: URLSearchParams;
  onChange: (values: Partial<Record<FilterName, string>>) => void;
  onClose: () => void;
}

const STATUSES: [string, string][] = [
  ["", "All"],
  ["current", "Current (new, active and at risk)"],
  ...Object.entries(STATUS_WORDS),
];
const ALERT_OPTIONS: [string, string][] = [
  ["", "With or without"],
  ["true", "With an open alert"],
  ["false", "Without an open alert"],
];
const RANGES: [FilterName, FilterName, string, number][] = [
  ["min_value_at_risk", "max_value_at_risk", "Value at risk", 1],
  ["min_churn_probability", "max_churn_probability", "Risk, from 0 to 1", 0.05],
  ["min_total_spent", "max_total_spent", "Total spent", 1],
  ["min_total_orders", "max_total_orders", "Orders", 1],
  ["min_days_since_last_order", "max_days_since_last_order", "Days without an order", 1],
  ["min_account_age_days", "max_account_age_days", "Days as a customer", 1],
];

const SPANS: [[FilterName, FilterName], string][] = [
  [["first_order_from", "first_order_to"], "First order (days of UTC)"],
  [["ordered_again_from", "ordered_again_to"], "Ordered again (days of UTC)"],
];
const SIDES = { number: ["at least", "at most"], date: ["from", "to"] } as const;

export function FilterForm({ address, onChange, onClose }: Props): JSX.Element {
  const value = (name: FilterName): string => address.get(name) ?? "";
  const levels = value("risk_level").split(",").filter(Boolean);
  const toggle = (level: string): void =>
    onChange({
      risk_level: (levels.includes(level)
        ? levels.filter((one) => one !== level)
        : [...levels, level]
      ).join(),
    });
  return (
    <Dialog title="Which customers" isDrawer onClose={onClose}>
      <form class="stack filter-form" onSubmit={(event) => event.preventDefault()}>
        <fieldset>
          <legend>Risk</legend>
          <div class="row">
            {LEVELS.map((level) => (
              <label class="check" key={level}>
                <input type="checkbox" checked={levels.includes(level)} onChange={() => toggle(level)} />
                {LEVEL_WORDS[level]}
              </label>
            ))}
          </div>
        </fieldset>
        <Choice
          name="Status"
          options={STATUSES}
          value={value("status")}
          onChange={(status) => onChange({ status })}
        />
        <Choice
          name="Open alert"
          options={ALERT_OPTIONS}
          value={value("has_open_alert")}
          onChange={(chosen) => onChange({ has_open_alert: chosen })}
        />
        {SPANS.map(([bounds, name]) => (
          <Range key={name} bounds={bounds} name={name} type="date" value={value} onChange={onChange} />
        ))}
        {RANGES.map(([least, most, name, step]) => (
          <Range
            key={least}
            bounds={[least, most]}
            name={name}
            type="number"
            step={step}
            value={value}
            onChange={onChange}
          />
        ))}
      </form>
    </Dialog>
  );
}

interface ChoiceProps {
  name: string;
  options: [string, string][];
  value: string;
  onChange: (value: string) => void;
}

function Choice({ name, options, value, onChange }: ChoiceProps): JSX.Element {
  return (
    <label class="labelled">
      {name}
      <select class="field" value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([code, words]) => (
          <option key={code} value={code}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

interface RangeProps {
  bounds: [FilterName, FilterName];
  name: string;
  type: "number" | "date";
  step?: number;
  value: (name: FilterName) => string;
  onChange: Props["onChange"];
}

function Range({ bounds, name, type, step, value, onChange }: RangeProps): JSX.Element {
  return (
    <fieldset>
      <legend>{name}</legend>
      <div class="range">
        {bounds.map((bound, index) => (
          <Bound
            key={bound}
            name={name}
            side={SIDES[type][index ? 1 : 0]}
            type={type}
            step={step}
            given={value(bound)}
            onChange={(text) => onChange({ [bound]: text })}
          />
        ))}
      </div>
    </fieldset>
  );
}

interface BoundProps {
  name: string;
  side: string;
  type: "number" | "date";
  step: number | undefined;
  given: string;
  onChange: (text: string) => void;
}

function Bound({ name, side, type: kind, step, given, onChange }: BoundProps): JSX.Element {
  const { text, type, send } = useDraft(given, onChange);
  return (
    <input
      class="field"
      type={kind}
      {...(kind === "number" ? { min: "0", step: step ?? 1 } : {})}
      aria-label={`${name}, ${side}`}
      placeholder={side}
      value={text}
      onInput={(event) => type(event.currentTarget.value)}
      onChange={(event) => send(event.currentTarget.value)}
    />
  );
}
