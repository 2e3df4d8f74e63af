/** The words for what the API names by codes. */
import type { CustomerStatus, PredictionRequest, RiskLevel } from "./api/types";

export const LEVELS: RiskLevel[] = ["critical", "high", "medium", "low"];
export const LEVEL_WORDS: Record<RiskLevel, string> = {
  low: "Low",
  medium: "Medium",
  high: "High",
  critical: "Critical",
};

export const STATUS_WORDS: Record<CustomerStatus, string> = {
  insufficient_data: "No paid order yet",
  new: "New",
  active: "Active",
  at_risk: "At risk",
  lapsed: "Lapsed",
};

export type FeatureName = Exclude<keyof PredictionRequest, "customer_id" | "events">;

export const FEATURE_WORDS: Record<FeatureName, string> = {
  total_orders: "Orders",
  total_spent: "Total spent",
  avg_order_value: "Average order",
  days_since_last_order: "Days since last order",
  support_tickets: "Support tickets, 90 days",
  product_returns: "Returns, 90 days",
  email_engagement: "E-mails opened",
  login_frequency: "Log-ins, 30 days",
  payment_failures: "Failed payments, 90 days",
  discount_usage: "Orders with a discount",
  loyalty_points: "Loyalty points",
  account_age_days: "Customer for",
};

const EVENT_WORDS: Record<string, string> = {
  cart_abandoned: "Left a cart behind",
  customer_registered: "Signed up",
  email_clicked: "Clicked in an e-mail",
  email_opened: "Opened an e-mail",
  email_sent: "Was sent an e-mail",
  login: "Logged in",
  loyalty_points_changed: "Loyalty points changed",
  order_cancelled: "Cancelled an order",
  order_placed: "Ordered",
  order_returned: "Returned an order",
  payment_failed: "A payment failed",
  product_viewed: "Looked at a product",
  profile_updated: "Changed their profile",
  refund_requested: "Asked for a refund",
  review_submitted: "Wrote a review",
  subscription_cancelled: "Cancelled a subscription",
  support_ticket_created: "Asked support",
};

export function eventWords(type: string): string {
  return EVENT_WORDS[type] ?? sentence(type);
}

const ALERT_WORDS: Record<string, string> = {
  churn_risk: "Risk has risen",
  payment_failure: "Payment failed",
  refund_requested: "Refund requested",
  support_escalation: "Pressing support ticket",
  subscription_cancelled: "Subscription cancelled",
  customer_returned: "Customer is back",
};

export function alertWords(type: string): string {
  return ALERT_WORDS[type] ?? sentence(type);
}

export const PRIORITIES = ["urgent", "high", "medium", "low"] as const;
type Priority = (typeof PRIORITIES)[number];

/** The risk whose shape and colour a priority has. */
export const PRIORITY_LEVELS: Record<Priority, RiskLevel> = {
  urgent: "critical",
  high: "high",
  medium: "medium",
  low: "low",
};

/** A code as words: `order_placed` is `Order placed`. */
export function sentence(code: string): string {
  const words = code.replace(/_/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
