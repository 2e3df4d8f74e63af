/** Segments: filters that have a name, to choose one, and to give the filters of now a name. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { get, post } from "../../api/client";
import type { Segment } from "../../api/types";
import { Dialog } from "../../components/dialog";
import { Icon } from "../../components/icons";
import { say } from "../../components/toasts";
import { useResource } from "../../data";
import { go, link } from "../../router";
import { may } from "../../session";
import { addressOf, chipsOf, filterOf, FILTER_NAMES } from "./filters";
import { NameForm } from "./name-form";
import { EditingBar, SegmentDialog } from "./segment-editing";

export function Segments({ address }: { address: URLSearchParams }): JSX.Element {
  const segments = useResource("segments", (signal) => get("/api/segments", undefined, undefined, signal));
  const [isNaming, setNaming] = useState(false);
  const current = address.get("segment") ?? "";
  const isEditing = address.has("editing");
  const canBeSaved = may("act") && !current && !isEditing && FILTER_NAMES.some((name) => address.get(name));
  const choose = (id: string): void => go(link(["customers"], id ? { segment: id } : { status: "current" }));
  const all = segments.data?.segments ?? [];
  const filter = all.find((segment) => String(segment.id) === current)?.filter;
  return (
    <>
      <select
        class="field segments"
        aria-label="Segment"
        value={current}
        onChange={(event) => choose(event.currentTarget.value)}
      >
        <option value="">No segment</option>
        {all.map((segment) => (
          <option key={segment.id} value={String(segment.id)}>
            {/* In quotation marks, so that a segment may have any name. */}
            {`“${segment.name}”`}
          </option>
        ))}
      </select>
      {canBeSaved ? (
        <button type="button" class="button plain" onClick={() => setNaming(true)}>
          <Icon name="star" />
          Save as segment
        </button>
      ) : null}
      {may("act") ? (
        <Changing address={address} segments={all} onChanged={segments.reload} onDeleted={() => choose("")} />
      ) : null}
      {filter ? (
        <p class="muted small segment-filters">
          The segment is:{" "}
          {chipsOf(new URLSearchParams(addressOf(filter)))
            .map((chip) => chip.text)
            .join("; ") || "everybody"}
        </p>
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

interface ChangingProps {
  address: URLSearchParams;
  segments: Segment[];
  onChanged: () => void;
  onDeleted: () => void;
}

/** What can be done with the segment that is chosen, or whose filters are being changed. */
function Changing({ address, segments, onChanged, onDeleted }: ChangingProps): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const chosen = segments.find((segment) => String(segment.id) === address.get("segment"));
  return (
    <>
      {chosen ? (
        <button type="button" class="button plain" onClick={() => setOpen(true)}>
          Change segment
        </button>
      ) : null}
      {chosen && isOpen ? (
        <SegmentDialog
          segment={chosen}
          onChanged={onChanged}
          onDeleted={() => {
            onChanged();
            onDeleted();
          }}
          onClose={() => setOpen(false)}
        />
      ) : null}
      <EditingBar key={address.get("editing")} address={address} segments={segments} onChanged={onChanged} />
    </>
  );
}

interface NamingProps {
  address: URLSearchParams;
  onSaved: (id: string) => void;
  onClose: () => void;
}

function Naming({ address, onSaved, onClose }: NamingProps): JSX.Element {
  const save = async (name: string): Promise<string> => {
    const segment = await post("/api/segments", { name, filter: filterOf(address) });
    say(`Saved as “${segment.name}”.`);
    onSaved(String(segment.id));
    return "";
  };
  return (
    <Dialog title="Save as segment" onClose={onClose}>
      <NameForm
        name=""
        action="Save"
        onSave={save}
        hint="It is there for everybody, and is counted each night."
      />
    </Dialog>
  );
}
