/** The columns that a list of customers can have; a reader's choice is kept on their machine. */
import type { ComponentChildren } from "preact";
import type { Customer, CustomerSort } from "../../api/types";
import { Risk } from "../../components/risk";
import { count, days, money, points, share, UNKNOWN } from "../../format";
import { Store } from "../../store";
import { STATUS_WORDS } from "../../words";

/** What a list asks for of each customer: what a column may show. */
export const FIELDS = [
  "customer_id",
  "name",
  "email",
  "status",
  "churn_probability",
  "risk_level",
  "value_at_risk",
  "risk_change_7d",
  "expected_spend",
  "recommended_actions",
  "days_since_last_order",
  "total_spent",
  "total_orders",
  "account_age_days",
  "support_tickets",
  "payment_failures",
  "email_engagement",
] as const satisfies (keyof Customer)[];
export type Listed = Pick<Customer, (typeof FIELDS)[number]>;

export interface Column {
  id: string;
  name: string;
  isNumber?: boolean;
  sort?: CustomerSort;
  show: (customer: Listed) => ComponentChildren;
}

const number = (id: keyof Listed, name: string): Column => ({
  id,
  name,
  isNumber: true,
  show: (customer) => count(customer[id] as number | null),
});

export const COLUMNS: Column[] = [
  { id: "name", name: "Customer", show: (customer) => customer.name ?? customer.customer_id },
  {
    id: "risk",
    name: "Risk",
    sort: "churn_probability",
    show: (customer) => <Risk level={customer.risk_level} probability={customer.churn_probability} />,
  },
  {
    id: "value_at_risk",
    name: "Value at risk",
    isNumber: true,
    sort: "value_at_risk",
    show: (customer) => money(customer.value_at_risk),
  },
  {
    id: "risk_change_7d",
    name: "7 days",
    isNumber: true,
    sort: "risk_change_7d",
    show: (customer) => <Change value={customer.risk_change_7d} />,
  },
  {
    id: "days_since_last_order",
    name: "Last order",
    isNumber: true,
    sort: "days_since_last_order",
    show: (customer) => lastOrder(customer.days_since_last_order),
  },
  {
    id: "total_spent",
    name: "Spent",
    isNumber: true,
    sort: "total_spent",
    show: (customer) => money(customer.total_spent),
  },
  {
    id: "action",
    name: "What to do",
    show: (customer) => customer.recommended_actions[0]?.text ?? <span class="muted">Nothing for now</span>,
  },
  { id: "status", name: "Status", show: (customer) => STATUS_WORDS[customer.status] },
  { id: "email", name: "E-mail", show: (customer) => customer.email ?? <span class="muted">{UNKNOWN}</span> },
  { id: "customer_id", name: "Id", sort: "customer_id", show: (customer) => customer.customer_id },
  {
    id: "expected_spend",
    name: "Expected spend",
    isNumber: true,
    sort: "expected_spend",
    show: (customer) => money(customer.expected_spend),
  },
  number("total_orders", "Orders"),
  {
    id: "account_age_days",
    name: "Customer for",
    isNumber: true,
    show: (customer) => days(customer.account_age_days),
  },
  number("support_tickets", "Tickets"),
  number("payment_failures", "Failed payments"),
  {
    id: "email_engagement",
    name: "E-mails opened",
    isNumber: true,
    show: (customer) => share(customer.email_engagement),
  },
];

function lastOrder(value: number | null): string {
  return value === null ? "none known" : value < 1 ? "today" : `${days(value)} ago`;
}

function Change({ value }: { value: number | null }) {
  if (value === null) return <span class="muted">{UNKNOWN}</span>;
  const text = points(value);
  return (
    <span class={text.startsWith("+") ? "rises" : ""}>{text === "0" ? "unchanged" : `${text} points`}</span>
  );
}

const KEY = "churn-columns";
export const PHONE = window.matchMedia("(max-width: 760px)");
/** The columns that have a place of their own on a card; each other one that is chosen is a line below them. */
export const CARD = ["name", "risk", "value_at_risk", "days_since_last_order", "action"];
const DEFAULT = PHONE.matches ? CARD : [...CARD, "risk_change_7d", "total_spent"];

function stored(): string[] {
  const ids = (localStorage.getItem(KEY) ?? "")
    .split(",")
    .filter((id) => COLUMNS.some((column) => column.id === id));
  return ids.length ? ids : DEFAULT;
}

/** The ids of the columns that are shown. */
export const chosen = new Store<string[]>(stored());

export function toggleColumn(id: string): void {
  const ids = chosen.value.includes(id) ? chosen.value.filter((one) => one !== id) : [...chosen.value, id];
  localStorage.setItem(KEY, ids.join());
  chosen.set(ids);
}
