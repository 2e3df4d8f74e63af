/** The API reference: the description of the service, shown by RapiDoc, which asks with the token of who is signed in. */
import "rapidoc";
import { THEME, TOKEN } from "./storage";

const LOOKS = {
  light: { theme: "light", "bg-color": "#ffffff", "text-color": "#18181b", "primary-color": "#4f46e5" },
  dark: { theme: "dark", "bg-color": "#16191f", "text-color": "#eceef2", "primary-color": "#a5a6fa" },
};
const FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
const system = window.matchMedia("(prefers-color-scheme: dark)");
const token = sessionStorage.getItem(TOKEN);

const viewer = document.createElement("rapi-doc") as HTMLElement & {
  loadSpec: (spec: unknown) => Promise<void>;
};
set({
  "render-style": "read",
  "show-header": "false",
  "load-fonts": "false",
  "regular-font": FONTS,
  "mono-font": "ui-monospace, 'Cascadia Mono', Menlo, Consolas, monospace",
  "font-size": "default",
  "schema-style": "table",
  "show-method-in-nav-bar": "as-plain-text",
  "use-path-in-nav-bar": "true",
  "allow-spec-url-load": "false",
  "allow-spec-file-load": "false",
  "allow-server-selection": "false",
  ...(token
    ? { "api-key-name": "Authorization", "api-key-location": "header", "api-key-value": `Bearer ${token}` }
    : {}),
});
look();
system.addEventListener("change", look);
document.body.append(viewer);
void show();

async function show(): Promise<void> {
  const answer = await fetch("openapi.json");
  await viewer.loadSpec(JSON.parse(await answer.text(), named));
}

/** RapiDoc stumbles over an example with a null in it, unless the example has a name. */
function named(_: string, part: unknown): unknown {
  if (part === null || typeof part !== "object" || !("example" in part) || !("schema" in part)) return part;
  const { example, ...rest } = part;
  return { ...rest, examples: { example: { value: example } } };
}

function look(): void {
  const chosen = localStorage.getItem(THEME);
  const isDark = chosen === "dark" || (chosen !== "light" && system.matches);
  document.documentElement.style.colorScheme = isDark ? "dark" : "light";
  set(isDark ? LOOKS.dark : LOOKS.light);
}

function set(attributes: Record<string, string>): void {
  for (const [name, value] of Object.entries(attributes)) viewer.setAttribute(name, value);
}
