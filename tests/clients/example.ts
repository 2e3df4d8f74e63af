// What a program does with the generated client: compiled, so that the types hold, and not run.
import { createClient } from "./client/client";
import { listAlerts, listCustomers, predict, workOnAlert } from "./client/sdk.gen";
import type { Alert, Customer, CustomerPage, ProblemDocument } from "./client/types.gen";

const client = createClient({ baseUrl: "https://churn.example.com", auth: () => "a token" });

export async function mostAtRisk(): Promise<Customer[]> {
  const { data, error } = await listCustomers({
    client,
    query: { status: ["current"], risk_level: ["high", "critical"], sort: "value_at_risk", limit: 20 },
  });
  if (error) throw new Error((error as ProblemDocument).detail);
  // Whole customers, as `fields` is not asked for.
  return (data as CustomerPage).customers;
}

export async function riskWithoutOrder(days: number): Promise<number> {
  const { data } = await predict({ client, body: { days_since_last_order: days }, throwOnError: true });
  return data.churn_probability;
}

export async function takeOn(alert: Alert): Promise<string | null> {
  const { data } = await workOnAlert({
    client,
    path: { id: String(alert.id) },
    headers: { "If-Match": `"${alert.change}"` },
    body: { status: "in_progress", assigned_to: "me" },
    throwOnError: true,
  });
  return data.assigned_to;
}

export async function urgent(): Promise<number> {
  const { data } = await listAlerts({ client, query: { priority: "urgent" }, throwOnError: true });
  return data.total;
}
