/** The theme: the system's, or what the reader has chosen on this machine. */
import { THEME } from "./storage";
import { Store } from "./store";

export type Theme = "system" | "light" | "dark";

const THEMES: Theme[] = ["system", "light", "dark"];
const stored = localStorage.getItem(THEME);

export const theme = new Store<Theme>(THEMES.find((known) => known === stored) ?? "system");

export function nextTheme(): void {
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? "system";
  localStorage.setItem(THEME, next);
  theme.set(next);
  applyTheme();
}

export function applyTheme(): void {
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
}
