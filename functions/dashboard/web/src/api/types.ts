/** The names under which the page knows the API's types. */
import type { Query } from "./client";
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Customer = Schemas["Customer"];
export type CustomerDetail = Schemas["CustomerDetail"];
export type CustomerPage = Schemas["CustomerPage"];
export type CustomersQuery = NonNullable<Query<"/api/customers">>;
export type CustomerSort = NonNullable<CustomersQuery["sort"]>;
export type CustomerStatus = Customer["status"];
export type RiskLevel = NonNullable<Customer["risk_level"]>;
export type CustomerNote = Schemas["CustomerNote"];
export type Segment = Schemas["Segment"];
export type NewSegment = Schemas["NewSegment"];
export type Driver = Schemas["Driver"];
export type RecommendedAction = Schemas["RecommendedAction"];
export type Alert = Schemas["Alert"];
export type AlertDetail = Schemas["AlertDetail"];
export type AlertAction = Schemas["AlertAction"];
export type AlertWork = Schemas["AlertWork"];
export type Stats = Schemas["Stats"];
export type Trend = Schemas["Trend"];
export type Health = Schemas["Health"];
export type ImpliedChange = Schemas["ImpliedChange"];
export type PredictionAnswer = Schemas["PredictionAnswer"];
export type PredictionRequest = Schemas["PredictionRequest"];
