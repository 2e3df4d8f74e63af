/** Segments: filters that have a name, to choose one, and to give the filters of now a name. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError, get, post } from "../../api/client";
import { Dialog } from "../../components/dialog";
import { Icon } from "../../components/icons";
import { say } from "../../components/toasts";
import { useResource } from "../../data";
import { go, link } from "../../router";
import { may } from "../../session";
import { filterOf, FILTER_NAMES } from "./filters";

export function Segments({ address }: { address: URLSearchParams }): JSX.Element {
  const segments = useResource("segments", (signal) => get("/api/segments", undefined, undefined, signal));
  const [isNaming, setNaming] = useState(false);
  const current = address.get("segment") ?? "";
  const canBeSaved = may("act") && !current && FILTER_NAMES.some((name) => address.get(name));
  const choose = (id: string): void => go(link(["customers"], id ? { segment: id } : { status: "current" }));
  return (
    <>
      <select
        class="field segments"
        aria-label="Segment"
        value={current}
        onChange={(event) => choose(event.currentTarget.value)}
      >
        <option value="">No segment</option>
        {segments.data?.segments.map((segment) => (
          <option key={segment.id} value={String(segment.id)}>
            {segment.name}
          </option>
        ))}
      </select>
      {canBeSaved ? (
        <button type="button" class="button plain" onClick={() => setNaming(true)}>
          <Icon name="star" />
          Save as segment
        </button>
      ) : null}
      {isNaming ? (
        <Naming
          address={address}
          onSaved={(id) => {
            setNaming(false);
            segments.reload();
            choose(id);
          }}
          onClose={() => setNaming(false)}
        />
      ) : null}
    </>
  );
}

interface NamingProps {
  address: URLSearchParams;
  onSaved: (id: string) => void;
  onClose: () => void;
}

function Naming({ address, onSaved, onClose }: NamingProps): JSX.Element {
  const [name, setName] = useState("");
  const [problem, setProblem] = useState("");
  const save = async (): Promise<void> => {
    try {
      const segment = await post("/api/segments", { name: name.trim(), filter: filterOf(address) });
      say(`Saved as “${segment.name}”.`);
      onSaved(String(segment.id));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(error.fields.map((field) => field.message).join(" ") || error.message);
    }
  };
  return (
    <Dialog title="Save as segment" onClose={onClose}>
      <form
        class="stack naming"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <label class="labelled">
          Name
          <input
            class="field"
            required
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        {problem ? <p role="alert">{problem}</p> : null}
        <p class="muted small">It is there for everybody, and is counted each night.</p>
        <div class="row">
          <button type="submit" class="button main">
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}
