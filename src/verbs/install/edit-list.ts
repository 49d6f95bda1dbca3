/** `sealroot install edit list DISK PATH`. */
import type { StateFile } from "../../install/index.ts";
import { command } from "../shared/command.ts";
import {
  DEPLOYMENT_OPTION,
  DISK_ARGUMENT,
  editTarget,
  STATE_PATH_ARGUMENT,
  WHERE_TEXT,
} from "../shared/edit-options.ts";
import { textTable } from "../shared/table.ts";

/** Characters of an ISO date and time up to the seconds. */
const TIME_CHARACTERS = "2026-11-29T12:00:00".length;

export const installEditList = command({
  description: `Lists what is in a directory of /etc or /var of the deployment that boots from DISK, or one file: mode, owner and
group, size, time (UTC) and path. A link at the end of PATH is listed itself.

${WHERE_TEXT}`,
  arguments: [DISK_ARGUMENT, STATE_PATH_ARGUMENT],
  options: [{ flags: "--recursive", summary: "also what is in directories below" }, DEPLOYMENT_OPTION],
  examples: [
    "sealroot install edit list disk.img /etc/ssh",
    "sealroot install edit list disk.img /var --recursive --json",
  ],
  reportsJson: true,
  async run(invocation) {
    const { listState } = await import("../../install/index.ts");
    const listed = await listState(editTarget(invocation), invocation.argument("PATH"), invocation.flag("recursive"));
    if (invocation.json) invocation.output.json(listed);
    else for (const line of textTable(listed.files.map(rowOf), [2])) invocation.output.line(line);
  },
});

const LETTERS = {
  file: "-",
  directory: "d",
  symlink: "l",
  "character-device": "c",
  "block-device": "b",
  fifo: "p",
  socket: "s",
} as const satisfies Record<StateFile["kind"], string>;

function rowOf({ kind, mode, uid, gid, sizeBytes, mtimeSeconds, path, target }: StateFile): string[] {
  const time = new Date(mtimeSeconds * 1000).toISOString().slice(0, TIME_CHARACTERS).replace("T", " ");
  const name = target === null ? path : `${path} -> ${target}`;
  return [`${LETTERS[kind]}${mode}`, `${uid}:${gid}`, String(sizeBytes), time, name];
}
