/** The frame around the screens: the rail, what is wrong with the connection, the keys. */
import type { FunctionComponent, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError, get, lastAnswerAt } from "./api/client";
import { useClock } from "./clock";
import { Dialog } from "./components/dialog";
import { forgetKeptTexts } from "./components/draft";
import { Icon } from "./components/icons";
import { Problem, useLate, Waiting } from "./components/notes";
import { Toasts } from "./components/toasts";
import { useResource } from "./data";
import { ago, exactly } from "./format";
import { useKeys } from "./keys";
import { connect, disconnect, live } from "./live";
import { go, usePlace } from "./router";
import { SCREENS, type Screen } from "./screens";
import { endSession, may, session, type Role } from "./session";
import { useStats } from "./stats";
import { useStore } from "./store";
import { nextTheme, theme } from "./theme";
import { subject } from "./title";
import iconAddress from "./icon.svg";
import { useSnoozeEnds, useUnread } from "./unread";

/** The keys, what each does, and what one must be allowed to do. */
const KEYS: [string, string, Role?][] = [
  ["/", "Search customers"],
  ["j  k", "Next and previous row"],
  ["Enter", "Open the row"],
  ["x", "Select the row"],
  ["e", "Acknowledge the alert", "act"],
  ["r", "Resolve the alert", "act"],
  ["a", "Take the alert on", "act"],
  ["s", "Put the alert off until tomorrow", "act"],
  ["n", "Write a note", "act"],
  ["u", "Undo what was just done", "act"],
  ["w", "Ask what if", "predict"],
  ["?", "Show these keys"],
];
const BEHIND_SECONDS = 60;

export function Shell(): JSX.Element {
  const [showsKeys, setShowsKeys] = useState(false);
  const { path } = usePlace();
  useClock();
  useSnoozeEnds();
  const found = SCREENS.find((known) => known.path === (path[0] ?? ""));
  useEffect(() => {
    connect();
    return disconnect;
  }, []);
  // The currency is the shop's, and every screen shows money.
  useStats();
  useKeys({ "?": () => setShowsKeys(true), "/": () => searchCustomers() });
  return (
    <div class="frame">
      <Rail current={found} onKeys={() => setShowsKeys(true)} />
      <div>
        <Banner />
        {found ? <Loaded key={found.path} screen={found} path={path.slice(1)} /> : <NoSuchPage />}
      </div>
      <Toasts />
      {showsKeys ? <KeyList onClose={() => setShowsKeys(false)} /> : null}
    </div>
  );
}

function searchCustomers(): void {
  const field = document.querySelector<HTMLInputElement>("input[type=search]");
  if (field) field.focus();
  else go("#/customers?focus=search");
}

function Rail({ current, onKeys }: { current: Screen | undefined; onKeys: () => void }): JSX.Element {
  const who = useStore(session);
  const unread = useUnread();
  const chosen = useStore(theme);
  const shown = useStore(subject);
  useEffect(() => {
    const name = shown || (current?.name ?? "No such page");
    document.title = `${unread ? `(${unread}) ` : ""}${name} · Churn`;
  }, [unread, current, shown]);
  return (
    <header class="rail">
      <button type="button" class="button skip" onClick={toContent}>
        Skip to the content
      </button>
      <a class="brand" href="#/">
        <img src={iconAddress} alt="" width="24" height="24" />
        Churn
      </a>
      <nav aria-label="Screens">
        {SCREENS.map((screen) => (
          <a
            key={screen.path}
            href={`#/${screen.path}${screen.start ?? ""}`}
            aria-current={screen === current ? "page" : undefined}
          >
            <Icon name={screen.icon} />
            {screen.name}
            {screen.path === "alerts" && unread ? (
              <span class="unread">
                {unread}
                <span class="hidden"> new</span>
              </span>
            ) : null}
          </a>
        ))}
      </nav>
      <div class="foot">
        <Standing />
        <button type="button" class="action" onClick={nextTheme}>
          <Icon name="sun" />
          Theme: {chosen}
        </button>
        <button type="button" class="action keys-button" onClick={onKeys}>
          <Icon name="keys" />
          Keys
        </button>
        <button type="button" class="action" onClick={signOut} title={who?.role}>
          <Icon name="leave" />
          Sign out {who?.subject}
        </button>
      </div>
    </header>
  );
}

function toContent(): void {
  const content = document.querySelector("main");
  if (!content) return;
  content.tabIndex = -1;
  content.focus();
}

function signOut(): void {
  forgetKeptTexts();
  endSession("You are signed out.");
}

function Standing(): JSX.Element {
  const { state } = useStore(live);
  const words = {
    connecting: "Connecting",
    live: "Live",
    polling: "Asks every 10 seconds",
    failing: "Not up to date",
    offline: "Offline",
  }[state];
  return (
    <div class={`standing ${state}`} role="status">
      <i />
      {words}
    </div>
  );
}

/** Says when what is shown is not of now. */
function Banner(): JSX.Element | null {
  const { state, since } = useStore(live);
  const health = useResource("health", (signal) => get("/health", undefined, undefined, signal), {
    every: 30,
  });
  if (state === "offline") {
    const at = lastAnswerAt ?? since;
    return (
      <div class="banner" role="alert">
        The service cannot be reached. You see what was known at {exactly(at)}. It is tried again by itself.
      </div>
    );
  }
  if (state === "failing") {
    return (
      <div class="banner" role="status">
        The service does not answer as it should. What it does not tell is shown as it was known at{" "}
        {exactly(since)}. It is tried again by itself.
      </div>
    );
  }
  const behind = health.data?.checks.ingestion.behind_seconds ?? 0;
  if (behind < BEHIND_SECONDS) return null;
  return (
    <div class="banner" role="status">
      The newest events are not counted yet: the oldest that waits came {ago(Date.now() - behind * 1000)}.
    </div>
  );
}

function NoSuchPage(): JSX.Element {
  return (
    <main class="screen">
      <header>
        <h1>There is no such page.</h1>
      </header>
      <p>
        The address is not one of this dashboard. <a href="#/">Go to Today</a>
      </p>
    </main>
  );
}

/** A screen, once its code is here. */
function Loaded({ screen, path }: { screen: Screen; path: string[] }): JSX.Element {
  const [Found, setFound] = useState<FunctionComponent<{ path: string[] }> | null>(null);
  const [failed, setFailed] = useState<ApiError | null>(null);
  const [turn, setTurn] = useState(0);
  const isLate = useLate(300);
  useEffect(() => {
    screen
      .load()
      .then((module) => setFound(() => module.default))
      .catch(() =>
        setFailed(new ApiError(0, "The service cannot be reached, or the page has been built anew.")),
      );
  }, [screen, turn]);
  if (Found) {
    return (
      <main class="screen">
        <Found path={path} />
      </main>
    );
  }
  return (
    <main class="screen">
      {failed ? <Problem error={failed} what="this screen" onRetry={() => setTurn(turn + 1)} /> : null}
      {isLate && !failed ? <Waiting height={400} what="the screen" /> : null}
    </main>
  );
}

function KeyList({ onClose }: { onClose: () => void }): JSX.Element {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {KEYS.filter(([, , role]) => !role || may(role)).map(([key, meaning]) => (
          <>
            <dt>
              {key.split("  ").map((one) => (
                <kbd key={one}>{one}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </>
        ))}
      </dl>
    </Dialog>
  );
}
