/** What colleagues have noted about a customer; who may act writes, and takes back what they wrote themselves. */
import type { JSX, RefObject } from "preact";
import { useState } from "preact/hooks";
import { ApiError, get, post, remove } from "../../api/client";
import type { CustomerNote } from "../../api/types";
import { useKeptText } from "../../components/draft";
import { Problem, Waiting } from "../../components/notes";
import { say } from "../../components/toasts";
import { useList } from "../../data";
import { ago, exactly } from "../../format";
import { may, session } from "../../session";
import { useStore } from "../../store";

const PAGE = 20;
const LONGEST = 4000;

interface Props {
  id: string;
  field: RefObject<HTMLTextAreaElement | null>;
  /** Called when there is a note more, or one less. */
  onChange: () => void;
}

export function NotesCard({ id, field, onChange }: Props): JSX.Element {
  const notes = useList(
    `notes ${id}`,
    { list: "notes", first: PAGE },
    (part, signal) => get("/api/customers/{customer_id}/notes", part, { customer_id: id }, signal),
    { every: 60 },
  );
  const changed = (): void => {
    notes.reload();
    onChange();
  };
  const found = notes.data?.notes;
  return (
    <section class="card customer-notes" aria-label="Notes">
      <header>
        <h2>Notes</h2>
      </header>
      {may("act") ? <Writing id={id} field={field} onChange={changed} /> : null}
      {notes.error && !found ? <Problem error={notes.error} what="the notes" onRetry={notes.reload} /> : null}
      {notes.isLoading && !found ? <Waiting height={64} what="the notes" /> : null}
      {found && !found.length ? <p class="muted">Nobody has noted anything yet.</p> : null}
      {found?.length ? (
        <ol>
          {found.map((note) => (
            <Note key={note.id} id={id} note={note} onChange={changed} />
          ))}
        </ol>
      ) : null}
      {notes.data?.next_cursor ? (
        <button type="button" class="button plain" onClick={notes.more}>
          Earlier notes
        </button>
      ) : null}
    </section>
  );
}

function Writing({ id, field, onChange }: Props): JSX.Element {
  const [text, setText] = useKeptText(`customer ${id}`);
  const [isSending, setSending] = useState(false);
  const save = async (): Promise<void> => {
    setSending(true);
    const note = await write(id, text.trim());
    setSending(false);
    // What was typed stays in the field if it was not saved.
    if (!note) return;
    setText("");
    say("Noted.", () => void takeBack(id, note, onChange));
    onChange();
  };
  return (
    <form
      class="writing"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim()) void save();
      }}
    >
      <label class="labelled">
        What is worth knowing
        <textarea
          ref={field}
          class="field"
          maxLength={LONGEST}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <div class="row">
        <button type="submit" class="button" disabled={!text.trim() || isSending}>
          Save note
        </button>
      </div>
    </form>
  );
}

/** Saves a note and returns it; says why if it was not saved. */
async function write(id: string, note: string): Promise<CustomerNote | null> {
  try {
    return await post("/api/customers/{customer_id}/notes", { note }, { customer_id: id });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    say(`The note was not saved. ${error.fields[0]?.message ?? error.message}`);
    return null;
  }
}

/** Deletes a note; returns whether it is gone. */
async function takeBack(id: string, note: CustomerNote, onChange: () => void): Promise<boolean> {
  try {
    await remove("/api/customers/{customer_id}/notes/{id}", { customer_id: id, id: note.id });
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    say(`The note is still there. ${error.message}`);
    return false;
  } finally {
    onChange();
  }
}

function Note({ id, note, onChange }: { id: string; note: CustomerNote; onChange: () => void }): JSX.Element {
  const who = useStore(session);
  const isOwn = may("act") && who?.subject === note.by;
  const drop = async (): Promise<void> => {
    if (await takeBack(id, note, onChange))
      say("Note deleted.", () => void write(id, note.note).then(onChange));
  };
  return (
    <li>
      <div class="row between">
        <span class="muted small">
          {note.by}, <time title={exactly(note.at)}>{ago(note.at)}</time>
        </span>
        {isOwn ? (
          <button
            type="button"
            class="button plain"
            aria-label={`Delete the note: ${note.note}`}
            onClick={() => void drop()}
          >
            Delete
          </button>
        ) : null}
      </div>
      <p class="said">{note.note}</p>
    </li>
  );
}
