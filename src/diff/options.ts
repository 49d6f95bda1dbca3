/** How two things are compared. */
import type { EventSink } from "../events/index.ts";
import type { PolicyChoice } from "../policy/index.ts";
import type { RegistryOptions } from "../registry/index.ts";
import type { ErofsVersion, Repository } from "../repository/index.ts";
import type { BootTimes } from "../tree/index.ts";

export interface DiffOptions {
  /** Where ids, tags and digests without a transport are looked up, and contents of images that hold only digests. */
  readonly repository?: Repository | undefined;
  /** True: a name of the repository goes before a file of that name. */
  readonly repositoryFirst?: boolean;
  readonly registry?: RegistryOptions | undefined;
  /** Decides whether an image may be read; the machine's policy if absent. */
  readonly policy?: PolicyChoice | undefined;
  /** The plain image instead of the boot image: `/boot` and `/sysroot` count. */
  readonly plain?: boolean;
  readonly keepUserXattrs?: boolean | undefined;
  readonly bootTimes?: BootTimes | undefined;
  /** Of the images whose digests are compared, if neither is an EROFS image, which has its own; 1 if absent. */
  readonly version?: ErofsVersion | undefined;
  readonly events: EventSink;
}
