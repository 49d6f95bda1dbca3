/**
 * A disk that is being written. The tools run in `directory` and are given `path`, which is relative to it for disk
 * files: characters of the user's path that have a meaning for mtools (`@@`) or e2fsprogs (`?`) never reach them.
 */
export interface WorkDisk {
  readonly directory: string;
  readonly path: string;
}
