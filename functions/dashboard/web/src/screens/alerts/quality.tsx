/** How good the alerts of each kind were: of those whose outcome is known, how many customers left. */
import type { JSX } from "preact";
import { get } from "../../api/client";
import { useResource } from "../../data";
import { count, plural } from "../../format";
import { placeOf } from "../../router";
import { alertWords } from "../../words";

export function AlertQuality(): JSX.Element | null {
  const performance = useResource("performance", (signal) =>
    get("/api/alerts/performance", { by: ["kind"] }, undefined, signal),
  );
  const groups = performance.data?.groups.filter((group) => group.alert_type !== null) ?? [];
  if (!performance.data || !groups.length) return null;
  const { horizon_days: days } = performance.data;
  return (
    <section class="card quality">
      <header>
        <h2>How good alerts were</h2>
      </header>
      <table>
        <thead>
          <tr>
            <th scope="col">Kind</th>
            <th scope="col" class="number">
              Alerts
            </th>
            <th scope="col" class="number">
              Left within {plural(days, "day")}
            </th>
          </tr>
        </thead>
        <tbody>
          {groups.map((group) => (
            <tr key={group.alert_type}>
              <td>{alertWords(group.alert_type ?? "")}</td>
              <td class="number">
                <a class="text" href={placeOf(group.links.alerts)}>
                  {count(group.alerts)}
                </a>
              </td>
              <td class="number">
                {group.left_rate === null ? (
                  <span class="muted">not known before {plural(days, "day")} are over</span>
                ) : (
                  `${Math.round(group.left_rate)}% of ${count(group.matured)}`
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
