/** What a verification is told. */
import type { EventSink } from "../../events/index.ts";
import type { SignatureDatabases } from "../../keys/index.ts";
import type { SbatLevel } from "../../pe/index.ts";
import type { PolicyChoice } from "../../policy/index.ts";
import type { RegistryOptions } from "../../registry/index.ts";
import type { Repository } from "../../repository/index.ts";
import type { Materials } from "./materials.ts";
import type { Policy } from "./policy.ts";

export interface VerifyOptions {
  /** In place of the keys that the disk or image enrols. */
  readonly keys: SignatureDatabases | undefined;
  /** By which shim refuses programs; that of the machine for the system that runs, if shim started it. */
  readonly sbatLevel?: SbatLevel | undefined;
  readonly policy: Policy;
  /** Where ids, tags and digests without a transport are looked up. */
  readonly repository?: Repository | undefined;
  /** True: a name of the repository goes before a file of that name. */
  readonly repositoryFirst?: boolean;
  readonly registry?: RegistryOptions | undefined;
  /** Decides whether an image may be read; the machine's policy if absent. */
  readonly sourcePolicy?: PolicyChoice | undefined;
  /** Takes what is seen on the way. */
  readonly materials?: Materials | undefined;
  readonly events: EventSink;
}
