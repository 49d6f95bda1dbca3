/** Options of the overlay driver that name further stores (containers-storage.conf(5), "STORAGE OPTIONS"; container-libs, overlay). */
import { SealrootError } from "../../errors/index.ts";

/** Keys of directories with images of their own, which are only read. */
const STORE_KEYS = ["imagestore", "additionalimagestore"];
/** Keys that matter to running containers, not to reading images. */
const OTHER_KEYS = [
  ...["additionallayerstore", "force_mask", "ignore_chown_errors", "inodes", "mount_program", "mountopt"],
  ...["override_kernel_check", "size", "skip_mount_home", "sync", "use_composefs"],
];

/**
 * The additional image stores that a list of options names.
 *
 * @param options each `[DRIVER.]KEY=VALUE`; those of other drivers are ignored
 * @param origin where the options are, such as `STORAGE_OPTS`
 * @throws SealrootError `usage` for an option that the driver does not have
 */
export function storesInOptions(options: readonly string[], origin: string): string[] {
  return options
    .filter((option) => option !== "")
    .flatMap((option) => {
      const [, driver = "", key = "", value = ""] = /^(?:([a-z0-9]+)\.)?([a-z_]*)(?:=(.*))?$/is.exec(option) ?? [];
      if (driver !== "" && !/^overlay2?$/i.test(driver)) return [];
      if (STORE_KEYS.includes(key.toLowerCase())) return value.split(",").filter((store) => store !== "");
      if (OTHER_KEYS.includes(key.toLowerCase())) return [];
      throw new SealrootError("usage", `Cannot open container storage: ${origin} has an unknown option: "${option}"`, {
        hint: `write additionalimagestore=/PATH/TO/STORE; known are ${[...STORE_KEYS, ...OTHER_KEYS].join(", ")}`,
      });
    });
}
