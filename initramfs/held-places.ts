/** Opening the parts of the root, so that no link on the disk leads off the disk. */
import type { BootPlan } from "../src/bootplan/boot-plan.ts";
import type { StateMount } from "../src/bootplan/configuration.ts";
import {
  BOOT_PLACES,
  type HeldState,
  imagePath,
  type MountFacts,
  OBJECTS_PATH,
  statePath,
  UPPER_MODE,
  WORK_MODE,
} from "../src/bootplan/mount-plan.ts";
import { SealrootError } from "../src/errors/index.ts";
import type { BootSystem } from "./system.ts";

/** What {@link holdPlaces} opens. */
export type HeldPlaces = Pick<MountFacts, "imageSource" | "objectsSource" | "etc" | "var">;

/**
 * Opens image, objects and state on the physical root.
 *
 * The writer of the disk may have put a link anywhere. The kernel follows it, and then says where it led: anything
 * outside the physical root is refused. What is opened here is used through its descriptor, so a link cannot lead
 * elsewhere later.
 *
 * @throws SealrootError `not-found` for what is missing, `untrusted` for a link that leads out, `corrupt` for a file
 *   where a directory is expected and vice versa
 */
export function holdPlaces(system: BootSystem, plan: BootPlan): HeldPlaces {
  const state = statePath(plan.image.id);
  const missing = "it is not in the repository";
  const imageSource = holdBeneath(system, imagePath(plan.image.id), "file", "open the root image", missing);
  const objectsSource = holdDirectory(system, OBJECTS_PATH, "the objects");
  holdDirectory(system, state, "the state of this deployment");
  return {
    imageSource,
    objectsSource,
    etc: holdState(system, plan.etc, "etc", `${state}/etc`),
    var: holdState(system, plan.var, "var", `${state}/var`),
  };
}

function holdState(system: BootSystem, kind: StateMount, name: "etc" | "var", path: string): HeldState {
  if (kind !== "bind" && kind !== "overlay") return undefined;
  const directory = holdDirectory(system, path, `the state of /${name}`);
  if (kind === "bind") return { directory };
  system.makeDirectory(`${directory}/upper`, UPPER_MODE);
  system.makeDirectory(`${directory}/work`, WORK_MODE);
  return {
    upper: holdDirectory(system, `${path}/upper`, `the changes of /${name}`),
    work: holdDirectory(system, `${path}/work`, `the work directory of /${name}`),
  };
}

function holdDirectory(system: BootSystem, path: string, what: string): string {
  return holdBeneath(system, path, "directory", `find ${what}`, "there is no such directory");
}

/**
 * @param path in the physical root, without a leading slash
 * @param missing the state found when it is not there, for the message
 */
function holdBeneath(
  system: BootSystem,
  path: string,
  kind: "file" | "directory",
  action: string,
  missing: string,
): string {
  const { physicalRoot } = BOOT_PLACES;
  const shown = { path: `/${path} on the physical root` };
  const held = system.hold(`${physicalRoot}/${path}`);
  if (held === undefined) throw new SealrootError("not-found", `Cannot ${action}: ${missing}`, shown);
  if (!held.realPath.startsWith(`${physicalRoot}/`)) {
    throw new SealrootError("untrusted", `Cannot ${action}: a link leads out of the physical root`, {
      ...shown,
      actual: held.realPath,
    });
  }
  if (held.kind !== kind) throw new SealrootError("corrupt", `Cannot ${action}: it is not a ${kind}`, shown);
  return held.source;
}
