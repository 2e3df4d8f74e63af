/** The page: a session, and then the frame with its screens. */
import { render, type JSX } from "preact";
import { forget } from "./data";
import { resumeSession, session } from "./session";
import { Shell } from "./shell";
import { SignIn } from "./sign-in";
import { useStore } from "./store";
import "./styles/base.css";
import "./styles/components.css";
import "./styles/shell.css";
import { applyTheme } from "./theme";

function App(): JSX.Element {
  const who = useStore(session);
  return who ? <Shell key={who.token} /> : <SignIn />;
}

applyTheme();
session.follow(forget);
const root = document.getElementById("app");
if (root) void resumeSession().then(() => render(<App />, root));
