/** What a verification is told. */
import type { EventSink } from "../../events/index.ts";
import type { SignatureDatabases } from "../../keys/index.ts";
import type { Policy } from "./policy.ts";

export interface VerifyOptions {
  /** In place of the keys that the disk or image enrols. */
  readonly keys: SignatureDatabases | undefined;
  readonly policy: Policy;
  readonly events: EventSink;
}
