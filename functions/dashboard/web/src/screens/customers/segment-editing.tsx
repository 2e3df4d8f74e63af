/** Renaming, changing and deleting a segment. Whoever was slower than somebody else hears so, and loses nothing. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError, get, patch, remove } from "../../api/client";
import type { Segment } from "../../api/types";
import { Dialog } from "../../components/dialog";
import { say } from "../../components/toasts";
import { go, link } from "../../router";
import { wholeOf } from "../../values";
import { addressOf, filterOf } from "./filters";
import { NameForm, reasonOf } from "./name-form";

type Change = Parameters<typeof patch<"/api/segments/{id}">>[1];

interface Outcome {
  segment: Segment;
  /** Why nothing was changed; null if it was. */
  problem: string | null;
}

/** Changes a segment of the version that is known. If that is not the newest, the newest comes back unchanged. */
async function change(known: Pick<Segment, "id" | "version">, what: Change): Promise<Outcome> {
  const names = { id: known.id };
  try {
    const segment = await patch("/api/segments/{id}", what, names, known.version);
    return { segment, problem: null };
  } catch (error) {
    if (!(error instanceof ApiError) || !error.isOutdated) throw error;
    const segment = await get("/api/segments/{id}", undefined, names);
    const who = segment.changed_by ?? "Somebody";
    return { segment, problem: `${who} was faster and has changed “${segment.name}”.` };
  }
}

/** The place where the filters of a segment are changed; it names the version that they are of. */
function placeOfEditing({ id, version, filter }: Segment): string {
  return link(["customers"], { ...addressOf(filter), editing: `${id}.${version}` });
}

interface DialogProps {
  segment: Segment;
  onChanged: () => void;
  onDeleted: () => void;
  onClose: () => void;
}

export function SegmentDialog(props: DialogProps): JSX.Element {
  const { segment, onChanged, onClose } = props;
  const [known, setKnown] = useState(segment);
  const rename = async (name: string): Promise<string> => {
    const outcome = await change(known, { name });
    setKnown(outcome.segment);
    onChanged();
    if (outcome.problem) return `${outcome.problem} Save once more to call it as you wrote.`;
    say(`It is called “${outcome.segment.name}” now.`);
    onClose();
    return "";
  };
  return (
    <Dialog title="Segment" onClose={onClose}>
      <NameForm name={segment.name} action="Save name" onSave={rename}>
        <a class="button" href={placeOfEditing(known)} onClick={onClose}>
          Change filters
        </a>
      </NameForm>
      {segment.is_built_in ? (
        <p class="muted small">It comes with the service, so it cannot be deleted.</p>
      ) : (
        <Deleting {...props} segment={known} onOutdated={setKnown} />
      )}
    </Dialog>
  );
}

/** Asks first: the figures of the nights cannot be brought back. */
function Deleting({
  segment,
  onOutdated,
  onDeleted,
  onClose,
}: DialogProps & { onOutdated: (newest: Segment) => void }): JSX.Element {
  const [isAsking, setAsking] = useState(false);
  const [problem, setProblem] = useState("");
  const drop = async (): Promise<void> => {
    try {
      await remove("/api/segments/{id}", { id: segment.id }, segment.version);
      say(`“${segment.name}” is deleted.`);
      onClose();
      onDeleted();
    } catch (error) {
      setProblem(reasonOf(error));
      if (error instanceof ApiError && error.isOutdated) {
        const newest = await get("/api/segments/{id}", undefined, { id: segment.id });
        onOutdated(newest);
        setProblem(`${newest.changed_by ?? "Somebody"} has changed it meanwhile. Delete it all the same?`);
      }
    }
  };
  if (!isAsking)
    return (
      <button type="button" class="button plain" onClick={() => setAsking(true)}>
        Delete …
      </button>
    );
  return (
    <div class="stack">
      <p role="alert">
        {problem || "It is deleted for everybody, with the figures of all nights. The customers stay."}
      </p>
      <div class="row">
        <button type="button" class="button" onClick={() => void drop()}>
          Delete it
        </button>
        <button type="button" class="button plain" onClick={() => setAsking(false)}>
          Keep it
        </button>
      </div>
    </div>
  );
}

/** What stands beside the filters while they are those of a segment to be. */
export function EditingBar({
  address,
  segments,
  onChanged,
}: {
  address: URLSearchParams;
  segments: Segment[];
  onChanged: () => void;
}): JSX.Element | null {
  const [id = 0, version = 0] = (address.get("editing") ?? "").split(".").map((part) => wholeOf(part) ?? 0);
  const [newest, setNewest] = useState<{ version: number; problem: string } | null>(null);
  const name = segments.find((segment) => segment.id === id)?.name;
  if (!name) return null;
  const save = async (): Promise<void> => {
    try {
      const known = { id, version: newest?.version ?? version };
      const { segment, problem } = await change(known, { filter: filterOf(address) });
      onChanged();
      if (problem) {
        setNewest({ version: segment.version, problem });
        return;
      }
      say(`“${segment.name}” has these filters now.`);
      go(link(["customers"], { segment: String(id) }));
    } catch (error) {
      say(`The segment was not changed. ${reasonOf(error)}`);
    }
  };
  return (
    <span class="row" role="group" aria-label={`Filters of ${name}`}>
      {newest ? <span role="alert">{newest.problem} Your filters are still here.</span> : null}
      <button type="button" class="button main" onClick={() => void save()}>
        {newest ? "Save mine all the same" : `Save in “${name}”`}
      </button>
      <a class="button plain" href={link(["customers"], { segment: String(id) })}>
        {newest ? "Take the new ones" : "Leave it as it was"}
      </a>
    </span>
  );
}
