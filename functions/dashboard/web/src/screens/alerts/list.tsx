/** The alerts of a box. What comes while the pointer is over the list is counted, and shown when it is asked for. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Alert } from "../../api/types";
import { RiskShape } from "../../components/risk";
import { ago, exactly, plural } from "../../format";
import { PRIORITY_LEVELS, sentence } from "../../words";

interface Props {
  alerts: Alert[];
  current: number | null;
  selected: ReadonlySet<number>;
  maySelect: boolean;
  linkTo: (alert: Alert) => string;
  onSelect: (id: number) => void;
}

export function AlertList(props: Props): JSX.Element {
  const [isHeld, setHeld] = useState(false);
  const { shown, waiting, showAll } = useHeld(props.alerts, isHeld);
  return (
    <div
      class="inbox-list"
      onPointerEnter={(event) => setHeld(event.pointerType === "mouse")}
      onPointerLeave={() => setHeld(false)}
    >
      {waiting ? (
        <button type="button" class="button waiting-alerts" onClick={showAll}>
          {plural(waiting, "new alert")}
        </button>
      ) : null}
      <ul>
        {shown.map((alert) => (
          <Row key={alert.id} alert={alert} {...props} />
        ))}
      </ul>
    </div>
  );
}

/** Returns the alerts without those that came since the list was held; those that left it go at once. */
function useHeld(alerts: Alert[], isHeld: boolean): { shown: Alert[]; waiting: number; showAll: () => void } {
  const [newest, setNewest] = useState<number | null>(null);
  const top = Math.max(0, ...alerts.map((alert) => alert.id));
  useEffect(() => {
    if (!isHeld) setNewest(null);
    else setNewest((held) => held ?? top);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- held where it stood when the pointer came
  }, [isHeld]);
  const shown = newest === null ? alerts : alerts.filter((alert) => alert.id <= newest);
  return { shown, waiting: alerts.length - shown.length, showAll: () => setNewest(top) };
}

function Row({
  alert,
  current,
  selected,
  maySelect,
  linkTo,
  onSelect,
}: Props & { alert: Alert }): JSX.Element {
  const level = PRIORITY_LEVELS[alert.priority];
  return (
    <li
      class={`fades-in${alert.id === current ? " current" : ""}${selected.has(alert.id) ? " selected" : ""}`}
    >
      {maySelect ? (
        <label class="pick">
          <input
            type="checkbox"
            aria-label={`Select: ${alert.title}`}
            checked={selected.has(alert.id)}
            onChange={() => onSelect(alert.id)}
          />
        </label>
      ) : null}
      <a href={linkTo(alert)} aria-current={alert.id === current ? "true" : undefined}>
        <span class={`risk ${level}`}>
          <RiskShape level={level} />
          <span class="hidden">{sentence(alert.priority)}: </span>
        </span>
        <span class="title">{alert.title}</span>
        <time class="muted small" dateTime={alert.created_at} title={exactly(alert.created_at)}>
          {ago(alert.raised_at ?? alert.created_at)}
        </time>
        <span class="muted reason">{alert.reason || alert.message}</span>
        {alert.assigned_to ? <span class="muted small">{alert.assigned_to}</span> : null}
      </a>
    </li>
  );
}
