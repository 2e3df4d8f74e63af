/** How far the numbers can be trusted: one sentence on the model, one on the data. */
import type { JSX } from "preact";
import { get, type Answer } from "../../api/client";
import type { Stats } from "../../api/types";
import { useResource } from "../../data";
import { ago, plural } from "../../format";

type Versions = Answer<"/api/models", "get">;

export function Standing({ stats }: { stats: Stats }): JSX.Element {
  const models = useResource("models", (signal) => get("/api/models", { limit: 5 }, undefined, signal), {
    topics: ["model"],
  });
  return (
    <section class="card">
      <header>
        <h2>How far to trust this</h2>
      </header>
      <ul class="standings">
        <li>
          {plural(stats.total_customers, "customer")} known; counted {ago(stats.generated_at)}.
        </li>
        <li>{models.data ? modelSentence(models.data, stats) : "Asking for the model …"}</li>
      </ul>
    </section>
  );
}

const SOURCES: Record<string, string> = {
  sample: " It learned from a simulated shop, not from yours.",
  prior: " It knows what is usual for shops, and nothing of yours yet.",
};

function modelSentence(models: Versions, stats: Stats): string {
  const current = models.versions.find((version) => version.version === models.current);
  if (!models.current)
    return "No model serves yet, so no risk is known. Whoever runs the service can train one.";
  const trained = current?.trained_at
    ? `The model learned ${ago(current.trained_at)}`
    : "When the model learned is not known";
  const young =
    current?.kind === "purchase_process" ? ", from the rhythm of orders alone, for the shop is young" : "";
  const source = current ? (SOURCES[current.source ?? ""] ?? "") : "";
  const outdated = current?.is_outdated ? " It knows older features than the service; train it anew." : "";
  return `${trained}${young}.${source} ${accuracy(stats)}${outdated}`;
}

function accuracy({ model_accuracy: right, model_accuracy_basis: basis }: Stats): string {
  if (right === null) return "How often it is right is not known.";
  const share = `${Math.round(right)} of 100 customers`;
  return basis === "matured_outcomes"
    ? `In the newest four weeks that are over it was right about ${share}.`
    : `In its test it was right about ${share}; what came of its predictions is not known yet.`;
}
