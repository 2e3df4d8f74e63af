/** The page for whoever is not signed in. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import iconAddress from "./icon.svg";
import { issuer, leaveForIssuer } from "./issuer";
import { beginSession, farewell } from "./session";
import { useStore } from "./store";

export function SignIn(): JSX.Element {
  const [problem, setProblem] = useState("");
  const [token, setToken] = useState("");
  const message = useStore(farewell);
  const submit = (event: Event): void => {
    event.preventDefault();
    try {
      beginSession(token);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  const leave = (): void => {
    if (issuer)
      leaveForIssuer(issuer).catch((error: unknown) =>
        setProblem(error instanceof Error ? error.message : String(error)),
      );
  };
  return (
    <main class="sign-in">
      <div class="card">
        <form onSubmit={submit}>
          <div class="row">
            <img src={iconAddress} alt="" width="32" height="32" />
            <h1>Sign in to Churn</h1>
          </div>
          {message ? <p role="status">{message}</p> : null}
          {issuer ? (
            <button type="button" class="button main" autofocus onClick={leave}>
              Sign in at {new URL(issuer.issuer).host}
            </button>
          ) : null}
          <label class="labelled">
            Token
            <input
              class="field"
              type="password"
              autocomplete="off"
              spellcheck={false}
              autofocus={!issuer}
              value={token}
              onInput={(event) => setToken(event.currentTarget.value)}
              aria-describedby="token-help"
              aria-invalid={problem !== ""}
            />
          </label>
          {problem ? <p role="alert">{problem}</p> : null}
          <button type="submit" class={issuer ? "button" : "button main"}>
            {issuer ? "Sign in with a token" : "Sign in"}
          </button>
          <p id="token-help" class="muted small">
            Whoever runs the service gives you a token, or an address that signs you in. On your own machine{" "}
            <code>make sign-in</code> prints one. The token is forgotten when you close this tab.
          </p>
        </form>
      </div>
    </main>
  );
}
