/** A package as a database names it. */
export interface InstalledPackage {
  readonly name: string;
  /** As the tool prints it: dpkg's `EPOCH:UPSTREAM-REVISION`, rpm's `EPOCH:VERSION-RELEASE`; no epoch when there is none. */
  readonly version: string;
  /** Such as `amd64` or `noarch`; undefined when the database does not say. */
  readonly architecture: string | undefined;
}
