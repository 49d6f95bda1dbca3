/** What of /etc and /var is kept from boot to boot, for which nothing vouches. */
import type { CommandLine } from "../../bls/index.ts";
import { parseRootConfiguration, ROOT_CONFIGURATION_PATH, stateMounts } from "../../bootplan/index.ts";
import { hasFileAt, type TreeFiles } from "../../tree/index.ts";
import type { LinkDraft } from "../report/link.ts";

const AREAS = ["etc", "var"] as const;

/**
 * @param files of the image, whose configuration decides
 * @param directory the deployment's own, for messages
 */
export async function checkKept(
  draft: LinkDraft,
  files: TreeFiles,
  commandLine: CommandLine,
  directory: string,
): Promise<void> {
  const mounts = await draft.attempt(() => {
    const text = hasFileAt(files, ROOT_CONFIGURATION_PATH)
      ? Buffer.from(files.read(ROOT_CONFIGURATION_PATH)).toString("utf8")
      : undefined;
    return stateMounts(parseRootConfiguration(text), commandLine);
  });
  if (mounts === undefined) return;
  const kept = AREAS.filter((area) => mounts[area] === "bind" || mounts[area] === "overlay");
  for (const area of AREAS) if (!kept.includes(area)) draft.fact(`/${area} is the image's at every boot`);
  if (kept.length === 0) return;
  const names = kept.map((area) => `/${area}`).join(" and ");
  const are = kept.length === 1 ? "is" : "are";
  draft.find("unchecked", `${names} ${are} kept and not sealed: who writes the disk is root at the next boot`, {
    path: directory,
    remedy: 'mount = "transient" for both in setup-root-conf.toml keeps nothing',
  });
}
