/** The state of a deployment on a disk: what is there, what is kept, and that nothing vouches for it. */
import type { CommandLine } from "../../bls/index.ts";
import { bootDigest } from "../../bootimage/index.ts";
import { byteStringOfText, displayText } from "../../bytes/index.ts";
import { originPath, parseOrigin, SHARED_VAR, stateDirectory, VAR_LINK_TARGET } from "../../deployment/index.ts";
import type { Ext4Tree } from "../../disk/index.ts";
import type { Uki } from "../../pe/index.ts";
import type { TreeFiles } from "../../tree/index.ts";
import { checkKept } from "../boot/kept-state.ts";
import type { LinkDraft } from "../report/link.ts";

export interface StateOfDeployment {
  readonly deploymentId: string;
  readonly commandLine: CommandLine;
  readonly uki: Uki;
  /** Undefined when the image could not be read. */
  readonly files: TreeFiles | undefined;
}

const ORIGIN_MAX_BYTES = 1 << 20;
const REPAIR = "on the host: sealroot fsck --repair";

export async function checkState(parent: LinkDraft, root: Ext4Tree, state: StateOfDeployment): Promise<void> {
  const { deploymentId } = state;
  const directory = stateDirectory(deploymentId);
  const draft = parent.link("state", directory);
  await draft.attempt(() => checkParts(draft, root, state), { path: directory });
}

async function checkParts(draft: LinkDraft, root: Ext4Tree, state: StateOfDeployment): Promise<void> {
  const directory = stateDirectory(state.deploymentId);
  await checkOrigin(draft, root, state);
  const etc = root.find(byteStringOfText(`${directory}/etc`));
  if (etc?.kind !== "directory") {
    draft.broken("its /etc is not there", {
      path: `${directory}/etc`,
      expected: "a directory",
      found: etc?.kind ?? "nothing",
    });
  }
  checkVar(draft, root, directory);
  const { files } = state;
  if (files === undefined) return;
  await checkKept(draft, files, state.commandLine, directory);
}

async function checkOrigin(draft: LinkDraft, root: Ext4Tree, { deploymentId, uki }: StateOfDeployment): Promise<void> {
  const path = originPath(deploymentId);
  await draft.attempt(
    () => {
      const file = root.find(byteStringOfText(path));
      if (file?.kind !== "file") {
        draft.broken("its origin file is not there", {
          path,
          expected: "a file",
          found: file?.kind ?? "nothing",
          remedy: REPAIR,
        });
        return;
      }
      const origin = parseOrigin(Buffer.from(root.reader.bytes(file, ORIGIN_MAX_BYTES)).toString("utf8"), path);
      draft.fact(`it came from ${origin.imageReference}`);
      const expected = bootDigest(uki);
      if (origin.bootDigest === undefined || origin.bootDigest === expected) return;
      draft.find("weaker", "its origin file states another boot digest than the UKI has, so clean-ups may go wrong", {
        path,
        expected,
        found: origin.bootDigest,
        remedy: REPAIR,
      });
    },
    { path, remedy: REPAIR },
  );
}

/** The boot program follows no link but this one (docs/filesystem.md). */
function checkVar(draft: LinkDraft, root: Ext4Tree, directory: string): void {
  const path = `${directory}/var`;
  const link = root.find(byteStringOfText(path));
  if (link?.kind === "directory") return;
  const target = link?.kind === "symlink" ? displayText(root.reader.target(link)) : undefined;
  if (target !== VAR_LINK_TARGET) {
    draft.broken("its /var leads elsewhere", {
      path,
      expected: `a link to ${VAR_LINK_TARGET}`,
      found: target === undefined ? (link?.kind ?? "nothing") : `a link to ${target}`,
    });
  } else if (root.find(byteStringOfText(SHARED_VAR))?.kind !== "directory") {
    draft.broken("its /var is not there", { path: SHARED_VAR, expected: "a directory", found: "nothing" });
  }
}
