/** What the shop sends, and which features are unknown because it does not send what tells them. */
import type { JSX } from "preact";
import { count, day, exactly } from "../../format";
import { eventWords, FEATURE_WORDS, type FeatureName } from "../../words";
import type { Ingestion } from "./screen";

export function Kinds({ data }: { data: Ingestion }): JSX.Element {
  const kinds = data.kinds
    .filter((kind) => kind.last_24_hours)
    .toSorted((one, other) => other.last_24_hours - one.last_24_hours);
  const silent = data.kinds.filter((kind) => kind.event_type !== "other" && !kind.last_24_hours);
  const most = Math.max(1, ...kinds.map((kind) => kind.last_24_hours));
  return (
    <section class="card">
      <header>
        <h2>What came in 24 hours, by kind</h2>
      </header>
      <ul class="kinds">
        {kinds.map(({ event_type: type, last_24_hours: number }) => (
          <li key={type}>
            <span title={type}>{type === "other" ? "Kinds that are not known" : eventWords(type)}</span>
            <span class="track" aria-hidden="true">
              <i style={{ width: `${(number / most) * 100}%` }} />
            </span>
            <span class="number">{count(number)}</span>
          </li>
        ))}
      </ul>
      {silent.length ? (
        <p class="muted small silent">
          None came of these: {silent.map((kind) => eventWords(kind.event_type).toLowerCase()).join(", ")}.
        </p>
      ) : null}
    </section>
  );
}

export function Unknown({ data }: { data: Ingestion }): JSX.Element {
  // What is missing comes first: it is what somebody can do something about.
  const features = data.features.toSorted(
    (one, other) => Number(one.known_since !== null) - Number(other.known_since !== null),
  );
  const missing = features.filter((feature) => feature.known_since === null).length;
  return (
    <section class="card">
      <header>
        <h2>
          {missing
            ? `${missing} of ${features.length} features are unknown`
            : "All features that need events are known"}
        </h2>
      </header>
      <ul class="features">
        {features.map(({ feature, event_types: types, known_since: since }) => (
          <li key={feature}>
            <span>{FEATURE_WORDS[feature as FeatureName]}</span>
            {since ? (
              <span class="muted small" title={exactly(since)}>
                known since {day(since)}
              </span>
            ) : (
              <span class="missing small">
                not known: send{" "}
                {types.map((type, index) => (
                  <>
                    {index ? " or " : ""}
                    <code>{type}</code>
                  </>
                ))}
              </span>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
