/** Which extended attributes go into an image: the option of cfsctl (spec/oci.md 4, transform_for_oci). */
import type { Invocation, OptionSpecification } from "./command.ts";

const KEEP_USER_XATTRS = "keep-user-xattrs";

export const XATTRS_OPTION = {
  flags: "--xattrs <MODE>",
  summary: "extended attributes to keep: security.capability only, or user.* too",
  choices: ["allowlist-only", KEEP_USER_XATTRS],
} as const satisfies OptionSpecification;

export function keepsUserXattrs(invocation: Invocation<readonly [typeof XATTRS_OPTION]>): boolean {
  return invocation.option("xattrs") === KEEP_USER_XATTRS;
}
