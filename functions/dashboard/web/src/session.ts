/** Who is signed in. A token lives in this tab's `sessionStorage` alone, and one of an issuer in memory alone. */
import { say } from "./components/toasts";
import { returnFromIssuer } from "./issuer";
import { decoded, replace } from "./router";
import { TOKEN } from "./storage";
import { Store } from "./store";
import { claimsOf } from "./token";

export type Role = "read" | "predict" | "act" | "admin";
export interface Session {
  /** Whether the service has taken the token before. */
  isProven: boolean;
  token: string;
  subject: string;
  role: Role;
}

const ROLES: Role[] = ["read", "predict", "act", "admin"];

const ENDED = "Your session has ended. Sign in again; notes that you began are kept in this tab.";

/** Null while nobody is signed in. */
export const session = new Store<Session | null>(null);
/** What the sign-in page says first. */
export const farewell = new Store("");

/** Returns whether the one who is signed in may do what needs a role. */
export function may(role: Role): boolean {
  return session.value !== null && ROLES.indexOf(session.value.role) >= ROLES.indexOf(role);
}

/** Begins a session. Throws an Error whose text says what is wrong with the token. */
export function beginSession(token: string, isProven = false): void {
  const begun = { ...read(token.trim()), isProven };
  sessionStorage.setItem(TOKEN, begun.token);
  farewell.set("");
  session.set(begun);
}

/** Notes whether the service has taken a token; ends the session of one that it refuses, and says why. */
export function judgeToken(token: string | undefined, isTaken: boolean): void {
  const begun = session.value;
  if (!begun || begun.token !== token) return;
  if (isTaken) begun.isProven = true;
  else endSession(begun.isProven ? ENDED : "The service does not take this token. Ask for a new one.");
}

export function endSession(message: string): void {
  sessionStorage.removeItem(TOKEN);
  farewell.set(message);
  session.set(null);
}

/** Signs in with the code of the address (`#code=…`) or the token of before; says nothing if there is none. */
export async function resumeSession(): Promise<void> {
  if (await signInByAddress()) return;
  try {
    const token = await returnFromIssuer();
    if (token) {
      await beginWith(token);
      return;
    }
  } catch (error) {
    endSession(error instanceof Error ? error.message : String(error));
    return;
  }
  const kept = sessionStorage.getItem(TOKEN);
  if (kept) {
    try {
      beginSession(kept, true);
    } catch {
      endSession(ENDED);
    }
  }
}

// An address that signs in may also be opened in a tab that shows the page already.
window.addEventListener("hashchange", () => void signInByAddress());

/** Takes the code out of the address and signs in with it; returns whether there was one. */
async function signInByAddress(): Promise<boolean> {
  const code = /^#code=(.+)$/.exec(location.hash)?.[1];
  if (!code) return false;
  replace("#/");
  await exchange(decoded(code));
  return true;
}

/** Begins a session by a token of an issuer, of which the service tells who it is of. Throws an Error. */
async function beginWith(token: string): Promise<void> {
  let answer: Response;
  try {
    answer = await fetch(new URL("api/session", document.baseURI), {
      headers: { Authorization: `Bearer ${token}` },
    });
  } catch {
    throw new Error("The service cannot be reached.");
  }
  const told = (await answer.json().catch(() => ({}))) as Partial<Session> & { detail?: string };
  if (answer.status === 401) throw new Error("You have signed in, and have no role in this service.");
  if (answer.status === 403)
    throw new Error("You have signed in, and your role may not look at the dashboard.");
  const role = ROLES.find((known) => known === told.role);
  if (!answer.ok || !role) throw new Error(told.detail ?? "The service could not do that.");
  sessionStorage.removeItem(TOKEN);
  farewell.set("");
  session.set({ token, subject: told.subject ?? "", role, isProven: true });
}

async function exchange(code: string): Promise<void> {
  try {
    const answer = await fetch(new URL("api/session", document.baseURI), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ code }),
    });
    const body = (await answer.json()) as { token?: string; detail?: string };
    if (!answer.ok || !body.token) throw new Error(body.detail);
    beginSession(body.token, true);
  } catch (error) {
    const reason = error instanceof Error && error.message ? error.message : "The service cannot be reached.";
    // Whoever is signed in stays so.
    if (session.value) say(reason);
    else endSession(reason);
  }
}

function read(token: string): Omit<Session, "isProven"> {
  const claims = claimsOf(token);
  if (!claims) throw new Error("This is not a token. A token has three parts with dots between them.");
  const role = ROLES.find((known) => known === claims.role);
  if (!role) throw new Error("This token has no role that can look at the dashboard.");
  if (claims.exp !== undefined && claims.exp * 1000 < Date.now()) throw new Error("This token has expired.");
  return { token, subject: claims.sub ?? "", role };
}
