/** The screens in the order of the rail. Each is fetched when somebody first goes there. */
import type { FunctionComponent } from "preact";
import type { IconName } from "../components/icons";

export interface Screen {
  /** The first part of its address behind the `#`. */
  path: string;
  name: string;
  icon: IconName;
  /** The query that it begins with, when it is chosen in the rail. */
  start?: string;
  load: () => Promise<{ default: FunctionComponent<{ path: string[] }> }>;
}

export const SCREENS: Screen[] = [
  { path: "", name: "Today", icon: "today", load: () => import("./today/screen") },
  {
    path: "customers",
    name: "Customers",
    icon: "customers",
    start: "?status=current",
    load: () => import("./customers/screen"),
  },
  { path: "alerts", name: "Alerts", icon: "alerts", load: () => import("./alerts/screen") },
  { path: "retention", name: "Retention", icon: "retention", load: () => import("./retention/screen") },
  { path: "model", name: "Model", icon: "model", load: () => import("./model/screen") },
  { path: "data", name: "Data", icon: "data", load: () => import("./data/screen") },
];
