/** A plan for programs: docs/schema/upgrade.json describes it. */
import { type ByteString, displayText } from "../../bytes/index.ts";
import { packageChangesJson } from "../../packages/index.ts";
import { isKnown, type PlannedFile, type UpdatePlan } from "./update-plan.ts";

/** Paths as text, what is absent as null. */
export function planJson(plan: UpdatePlan) {
  const { files, etc, packages, esp, from, to } = plan;
  const image = (one: UpdatePlan["from"]) => ({
    deploymentId: one.deploymentId ?? null,
    manifestDigest: one.manifestDigest ?? null,
    version: one.version ?? null,
  });
  const file = ({ path, bytes }: PlannedFile) => ({ path: path ?? null, bytes });
  const texts = (paths: readonly ByteString[]) => paths.map(displayText);
  return {
    ...plan,
    from: image(from),
    to: image(to),
    esp: isKnown(esp) ? { ...esp, bootFiles: esp.bootFiles.map(file), entries: esp.entries?.map(file) ?? null } : esp,
    packages: isKnown(packages)
      ? packages.map(({ tool, changes }) => ({
          tool,
          changes: isKnown(changes) ? packageChangesJson(changes) : changes,
        }))
      : packages,
    files: isKnown(files)
      ? { added: texts(files.added), removed: texts(files.removed), changed: texts(files.changed) }
      : files,
    etc: isKnown(etc)
      ? { ...etc, conflicts: etc.conflicts.map(({ path, local }) => ({ path: displayText(path), local })) }
      : etc,
  };
}
